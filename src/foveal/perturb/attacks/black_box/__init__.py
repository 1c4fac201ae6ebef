"""Attacks that only ask: `attack(scores, images, labels, *, ball, queries, rng) -> images`.

`scores` takes uint8 (N, H, W, C) and returns logits or logarithms of probabilities, float32 (N, K). Images
go in and come out as uint8 (N, H, W, C). For each picture that is named correctly
comes back one that is named wrongly, or else the one of the least margin that was found; a picture that is
named wrongly stays as it is. What is drawn for one picture depends on those beside it.

`stickers` covers a `share` of the picture in place of moving it within a `ball`.
"""
