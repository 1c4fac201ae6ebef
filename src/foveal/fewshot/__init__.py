"""Recognizers from a handful of pictures: what was taught, the head fitted to it, what can be promised."""
