"""Recognizers from a handful of pictures of each class."""
