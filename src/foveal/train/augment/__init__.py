"""Random changes to training pictures, one per file, on whole batches.

`augment(images, targets, *, strength, batch) -> (images, targets)`: images are float (N, C, H, W),
normalized to mean 0, in any memory format; targets are class shares, float (N, K); a strength of 0
changes nothing; all randomness comes from `batch.generator`. Neither argument is changed in place.
Clips are (N, T·C, H, W), frame after frame, with C = `batch.channels`: what is drawn or measured for a
picture is so once for all of its frames, and nothing moves that did not. Only noise is new in each.
A file whose strength must not be above some number says so: `STRONGEST = 0.5`.
"""
