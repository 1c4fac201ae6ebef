"""Attacks that only ask: `attack(scores, images, labels, *, ball, queries, rng) -> images`.

`scores` takes uint8 (N, H, W, C) and returns logits or logarithms of probabilities, float32 (N, K). Images
go in and come out as uint8 (N, H, W, C).
"""
