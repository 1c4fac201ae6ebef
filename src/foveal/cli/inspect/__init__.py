"""Inspect parts: learn from samples, decide accept, reject or review, and keep a log that can be verified."""
