"""Objectives that learn from pictures together with something else than a label, one per file.

`SETTINGS` in a file are its numbers, as in `train/objectives`; it is no objective of `foveal train`.
"""
