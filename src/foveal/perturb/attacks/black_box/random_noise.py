"""The control of every attack: noise of the same size that asks as often and learns nothing.

An attack that does no better than this has found nothing about the recognizer.
"""

import numpy as np

from foveal.perturb.attacks.ball import Ball
from foveal.perturb.attacks.black_box._asking import Int64, Scores, Search, UInt8, check, fitted

_TINY = 1e-12


def random_noise(
    scores: Scores, images: UInt8, labels: Int64, *, ball: Ball, queries: int, rng: np.random.Generator
) -> UInt8:
    """Return for each picture the best of `queries` draws of noise: wrongly named, or of the least margin.

    Linf: every channel of every pixel moves by the radius, up or down. L2: a direction drawn evenly.

    Args:
        scores: Logits or logarithms of probabilities for uint8 pictures, float32 (N, K), K ≥ 2.
        images: uint8 (N, H, W, C).
        labels: The truth, int64 (N,).
        ball: How far a picture may be moved.
        queries: Pictures asked for beside the original; of one that is named wrongly no more are.
        rng: Draws the noise.

    Raises:
        UsageError: Other arrays, scores that are no numbers, or no query.
    """
    check(images, labels, queries)
    search = Search.of(scores, images, labels)
    for _ in range(queries):
        if len(search.alive) == 0:
            break
        originals = images[search.alive]
        if ball.norm == "linf":
            moves = rng.choice([-ball.radius, ball.radius], size=originals.shape)
        else:
            moves = rng.normal(size=originals.shape)
            lengths = np.sqrt((moves**2).sum(axis=(1, 2, 3), keepdims=True))
            moves *= ball.radius / np.maximum(lengths, _TINY)
        search.offer(fitted(moves, originals, ball))
    return search.found
