"""Pictures of nothing that is known, one kind per file: `kind(images, *, rng) -> images`.

Given known pictures, uint8 (N, H, W, C), each makes as many of the same shape that no recognizer of those
should answer for. Some only have the known ones' shape, others their parts: these are nearer, and harder. The
same state of `rng` gives the same pictures on every machine (`text`: with the same Pillow). Such sets stand
for whatever a user will meet no better than they look: a score that tells them all from known pictures has
shown that it is not blind, and no more. Which kinds: Yang et al., "OpenOOD", 2022, and Hendrycks et al.,
"Deep Anomaly Detection with Outlier Exposure", 2019, appendix A, for noise, blobs and mixes.
"""
