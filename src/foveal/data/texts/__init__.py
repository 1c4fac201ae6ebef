"""Texts as the numbers that a text encoder reads."""
