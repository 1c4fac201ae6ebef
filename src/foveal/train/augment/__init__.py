"""Random changes to training pictures, one per file, on whole batches.

`augment(images, targets, *, strength, batch) -> (images, targets)`: images are float (N, C, H, W),
normalized to mean 0, in any memory format; targets are class shares, float (N, K); a strength of 0
changes nothing; all randomness comes from `batch.generator`. Neither argument is changed in place.
A file whose strength must not be above some number says so: `STRONGEST = 0.5`.
"""
