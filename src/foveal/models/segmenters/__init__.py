"""Segmenters, a family per file, as `foveal.models`; a builder's `size` is height and width of the input."""
