"""Recognizers from a handful of pictures: what was taught, the head fitted to it, and what can be promised."""
