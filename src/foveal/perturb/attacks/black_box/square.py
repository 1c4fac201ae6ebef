"""Square patches of change at random places, kept where they help: needs no gradients, only scores.

Source: Andriushchenko, Croce, Flammarion & Hein, "Square Attack: a query-efficient black-box adversarial
attack via random search", ECCV 2020, algorithms 1 to 3. https://arxiv.org/abs/1912.00049
Every picture that is asked for is a real one, of whole levels from 0 to 255. The schedule of the paper is for
10,000 queries; as in its section 4 it is stretched to any number.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.perturb.attacks.ball import Ball
from foveal.perturb.attacks.black_box._asking import Floats, Int64, Scores, Search, UInt8, check, fitted

_SHARE = 0.8  # of the pixels that the first square changes
_HALVED = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of 10,000 queries
_TINY = 1e-12


def square(
    scores: Scores, images: UInt8, labels: Int64, *, ball: Ball, queries: int, rng: np.random.Generator
) -> UInt8:
    """Return for each picture one in the ball that is named wrongly, or the one of the least margin found.

    Args:
        scores: Logits or logarithms of probabilities for uint8 pictures, float32 (N, K), K ≥ 2.
        images: uint8 (N, H, W, C).
        labels: The truth, int64 (N,).
        ball: How far a picture may be moved. Linf moves by whole levels: a radius below 1 moves nothing.
        queries: Pictures asked for beside the original; of one that is named wrongly no more are.
        rng: Draws stripes, places and signs.

    Raises:
        UsageError: Other arrays, scores that are no numbers, or no query.
    """
    check(images, labels, queries)
    search = Search.of(scores, images, labels)
    if len(search.alive) == 0:
        return search.found
    (_linf if ball.norm == "linf" else _l2)(search, images, ball, queries, rng)
    return search.found


def side_at(query: int, queries: int, height: int, width: int) -> int:
    """Return the side of the square at a query: 0.8 of the pixels at first, halved nine times.

    >>> [side_at(query, 10_000, 32, 32) for query in (0, 100, 1000, 9999)]
    [29, 14, 7, 1]
    """
    of_ten_thousand = query / queries * 10_000
    share = _SHARE / 2 ** sum(of_ten_thousand > at for at in _HALVED)
    return min(max(1, round(math.sqrt(share * height * width))), height, width)


@dataclass(frozen=True)
class _Windows:
    """A square at a place of its own in each picture: indices that take it out of (N, H, W, C)."""

    tops: Int64
    lefts: Int64
    side: int

    @property
    def index(self) -> tuple[NDArray[np.int64], ...]:
        along = np.arange(self.side)
        pictures = np.arange(len(self.tops))[:, None, None]
        return pictures, (self.tops[:, None] + along)[:, :, None], (self.lefts[:, None] + along)[:, None, :]


def _drawn(shape: tuple[int, ...], side: int, rng: np.random.Generator) -> _Windows:
    count, height, width, _ = shape
    tops = rng.integers(0, height - side + 1, count)
    return _Windows(tops, rng.integers(0, width - side + 1, count), side)


def _linf(search: Search, images: UInt8, ball: Ball, queries: int, rng: np.random.Generator) -> None:
    """Algorithm 2: a square moves to a corner of the ball, one sign for each channel."""
    reach = int(min(255, np.floor(ball.radius)))
    chosen = images[search.alive].astype(np.int16)
    stripes = reach * rng.choice(np.array([-1, 1], np.int16), size=(len(chosen), 1, *chosen.shape[2:]))
    search.offer((chosen + stripes).clip(0, 255).astype(np.uint8), anyway=True)
    _, height, width, channels = images.shape
    for query in range(1, queries):
        if len(search.alive) == 0:
            break
        tried = search.best[search.alive].astype(np.int16)
        windows = _drawn(tried.shape, side_at(query, queries, height, width), rng)
        place = windows.index
        signs = rng.choice(np.array([-1, 1], np.int16), size=(len(tried), 1, 1, channels))
        corner = (images[search.alive][place] + reach * signs).clip(0, 255).astype(np.int16)
        same = (corner == tried[place]).all(axis=(1, 2, 3))
        signs[same] *= -1  # asking for the same picture again would be lost
        tried[place] = (images[search.alive][place] + reach * signs).clip(0, 255)
        search.offer(tried.astype(np.uint8))


def _l2(search: Search, images: UInt8, ball: Ball, queries: int, rng: np.random.Generator) -> None:
    """Algorithm 3: a square takes over what another one and what is left of the radius allow."""
    _, height, width, channels = images.shape
    moves = np.zeros((len(search.alive), height, width, channels))
    for query in range(queries):
        if len(search.alive) == 0:
            break
        before = search.alive
        originals = images[before].astype(np.float64)
        if query == 0:
            tried = _grid(moves.shape, rng)
            tried *= ball.radius / np.sqrt((tried**2).sum(axis=(1, 2, 3), keepdims=True))
        else:
            side = max(3, side_at(query, queries, height, width) | 1)  # odd: a pyramid has a middle
            tried = _moved(moves, ball.radius, min(side, height, width), rng)
        tried = (originals + tried).clip(0, 255) - originals
        kept = search.offer(fitted(tried, images[before], ball), anyway=query == 0)
        moves[kept] = tried[kept]
        moves = moves[np.isin(before, search.alive)]


def _moved(moves: Floats, radius: float, side: int, rng: np.random.Generator) -> Floats:
    """Return moves of which one window is emptied for another, (M, H, W, C)."""
    count, _, _, channels = moves.shape
    first, second = (_drawn(moves.shape, side, rng).index for _ in range(2))
    old, unused = moves[first], np.maximum(0.0, radius**2 - (moves**2).sum(axis=(1, 2, 3)))
    found = moves.copy()
    found[first] = 0
    found[second] = 0
    freed = (moves**2).sum(axis=(1, 2)) - (found**2).sum(axis=(1, 2))  # of each channel
    shape = _pyramids(count, side, rng)[..., None] * rng.choice([-1.0, 1.0], size=(count, 1, 1, channels))
    new = shape / _length(shape) + old / _length(old)
    allowed = np.sqrt(np.maximum(0.0, freed) + unused[:, None] / channels)[:, None, None, :]
    found[first] = new / _length(new) * allowed
    return found


def _length(windows: Floats) -> Floats:
    """Return the L2 length of each channel of each window, above 0, (N, 1, 1, C)."""
    found: Floats = np.maximum(np.sqrt((windows**2).sum(axis=(1, 2), keepdims=True)), _TINY)
    return found


def _pyramids(count: int, side: int, rng: np.random.Generator) -> Floats:
    """Return an upper half up and a lower half down, or turned by chance, float64 (N, side, side)."""
    upper = side // 2
    one = np.concatenate([_pyramid(upper, side), -_pyramid(side - upper, side)])
    turned = rng.random(count) < 0.5
    found: Floats = np.where(turned[:, None, None], one.T[None], one[None])
    return found


def _pyramid(height: int, width: int) -> Floats:
    """Return nested squares around the middle, the one k pixels out weighs 1 / (k + 1)² (§3.3)."""
    rows, columns = np.arange(height) - height // 2, np.arange(width) - width // 2
    out = np.maximum(np.abs(rows)[:, None], np.abs(columns))
    weights = 1.0 / (np.arange(out.max() + 1) + 1.0) ** 2
    heights: Floats = np.cumsum(weights[::-1])[::-1]  # a pixel lies in its own square and in all further out
    return heights[out]


def _grid(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Return the start of algorithm 3: pyramids side by side, five to a side, each channel of random sign."""
    count, height, width, channels = shape
    side = max(1, min(height, width) // 5)
    moves = np.zeros(shape)
    for top in range(0, height - side + 1, side):
        for left in range(0, width - side + 1, side):
            shapes = _pyramids(count, side, rng) if side > 1 else np.ones((count, 1, 1))
            signs = rng.choice([-1.0, 1.0], size=(count, 1, 1, channels))
            moves[:, top : top + side, left : left + side] = shapes[..., None] * signs
    return moves
