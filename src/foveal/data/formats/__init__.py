"""Layouts of labelled pictures, one per file: each file offers a `Format` of the same name."""
