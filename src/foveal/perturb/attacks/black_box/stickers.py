"""Two rectangles, black or white, stuck on the picture where they mislead most.

Source of the idea: Eykholt et al., "Robust Physical-World Attacks on Deep Learning Visual Classification",
CVPR 2018 (black and white stickers on a stop sign). Places and shapes are found by random search on scores.
https://arxiv.org/abs/1707.08945
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.perturb.attacks.black_box._asking import Int64, Scores, Search, UInt8, check

_STICKERS = 2
_ANEW = 0.25  # share of the queries that draw everything anew before the best is refined
_LONGEST = 3.0  # sides of a sticker relative to each other
_STEP = 0.25  # of the picture's side: how far a refinement moves a sticker at most at first


def stickers(
    scores: Scores, images: UInt8, labels: Int64, *, share: float, queries: int, rng: np.random.Generator
) -> UInt8:
    """Return for each picture one with two stickers: wrongly named, or of the least margin found.

    A picture that is named wrongly as it is, or for which no stickers lower the margin, stays as it is.

    Args:
        scores: Logits or logarithms of probabilities for uint8 pictures, float32 (N, K), K ≥ 2.
        images: uint8 (N, H, W, C).
        labels: The truth, int64 (N,).
        share: Of the picture's area that both cover together at most, in (0, 1).
        queries: Pictures asked for beside the original; of one that is named wrongly no more are.
        rng: Draws shapes, places and colours.

    Raises:
        UsageError: Other arrays, scores that are no numbers, no query, or a share that is less than a pixel
            for each sticker.
    """
    check(images, labels, queries)
    _, height, width, _ = images.shape
    area = share * height * width / _STICKERS
    if not 0 < share < 1 or area < 1:
        raise UsageError(f"stickers cover a share in (0, 1) and a pixel or more each; got {share}")
    search = Search.of(scores, images, labels)
    frame = _Frame(height, width, area)
    best = frame.drawn(len(search.alive), rng)
    for query in range(queries):
        if len(search.alive) == 0:
            break
        if query <= _ANEW * queries:
            tried = frame.drawn(len(search.alive), rng)
        else:
            tried = frame.near(best, 1 - query / queries, rng)
        before = search.alive
        kept = search.offer(_stuck(images[before], tried))
        best[kept] = tried[kept]
        best = best[np.isin(before, search.alive)]
    return search.found


@dataclass(frozen=True)
class _Frame:
    """Where stickers may lie. They are rows of top, left, height, width and colour, int64 (N, 2, 5)."""

    height: int
    width: int
    area: float

    def drawn(self, count: int, rng: np.random.Generator) -> Int64:
        """Return stickers of any shape, place and colour."""
        shape = (count, _STICKERS)
        ratio = _LONGEST ** rng.uniform(-1, 1, shape)
        high = np.sqrt(self.area * ratio).round().clip(1, min(self.height, self.area)).astype(np.int64)
        wide = np.minimum(np.floor(self.area / high).astype(np.int64), self.width)
        top = np.floor(rng.random(shape) * (self.height - high + 1)).astype(np.int64)
        left = np.floor(rng.random(shape) * (self.width - wide + 1)).astype(np.int64)
        return np.stack([top, left, high, wide, 255 * rng.integers(0, 2, shape)], axis=2)

    def near(self, stickers: Int64, far: float, rng: np.random.Generator) -> Int64:
        """Return them with one moved by at most `far` of the usual, or now and then drawn anew."""
        count = len(stickers)
        moved, which, rows = stickers.copy(), rng.integers(0, _STICKERS, count), np.arange(count)
        anew = rng.random(count) < 0.25
        fresh = self.drawn(count, rng)
        for axis, side in ((0, self.height), (1, self.width)):
            most = max(1.0, far * _STEP * side)
            step = np.rint(rng.uniform(-most, most, count)).astype(np.int64)
            room = side - moved[rows, which, 2 + axis]
            moved[rows, which, axis] = (moved[rows, which, axis] + step).clip(0, room)
        moved[rows[anew], which[anew]] = fresh[rows[anew], which[anew]]
        return moved


def _stuck(images: UInt8, stickers: Int64) -> UInt8:
    """Return the pictures with their stickers on them, the second above the first."""
    _, height, width, _ = images.shape
    result = images.copy()
    for k in range(_STICKERS):
        top, left, high, wide, colour = stickers[:, k].T
        inside = _span(top, high, height)[:, :, None] & _span(left, wide, width)[:, None, :]
        result[inside] = np.repeat(colour, inside.sum(axis=(1, 2)))[:, None]
    return result


def _span(start: Int64, length: Int64, side: int) -> NDArray[np.bool_]:
    along = np.arange(side)
    return (along >= start[:, None]) & (along < (start + length)[:, None])
