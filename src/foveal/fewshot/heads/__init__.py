"""Heads that a handful of pictures is enough for, one file each.

A function `name(coordinates, labels, classes) -> Head` fits a linear layer to coordinates in the space of
`fewshot.space`, float64 (n, D), labels int64 (n,) in [0, classes), every class present. The graph of a taught
bundle ends in that layer. `fewshot.deciding` tries every file of the folder.
"""
