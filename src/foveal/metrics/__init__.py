"""Pure functions on arrays, one per file; they know nothing of models, files or pictures.

Every classification metric takes `probabilities`, float (N, K), rows that sum to 1, and `labels`,
integers (N,) in [0, K). Import one by its full path: `from foveal.metrics.ece import ece`.
"""
