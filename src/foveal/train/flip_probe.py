"""May pictures of these classes be mirrored? Asked of the data instead of assumed.

Mirroring helps where left and right mean nothing and ruins arrows, digits and text. A linear classifier
is fitted to small versions of one half of the training pictures and asked about the other half, as they
are and mirrored. If it recognizes mirrored pictures as well, mirrored pictures look like the class. A
probe that recognizes nothing has no say: then pictures stay as they are.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.random import stream

_SIDE = 12  # pixels of the small versions
_PICTURES = 6000
_FEWEST = 400  # with fewer in the tested half a drop of two points would go unseen
_CHUNK = 64  # pictures read at once: at 1024 pixels these are 200 MB
_RIDGE = 1.0
_TOLERATED = 0.01  # drop in accuracy that is not worth losing the flips for
_CERTAIN = 0.01  # a larger drop must be this unlikely to be chance
_CLEARLY = 3.0  # standard errors above the most common class from which on the probe recognizes something


@dataclass(frozen=True)
class FlipProbe:
    """What the probe saw.

    Attributes:
        allowed: Whether training may mirror.
        upright, mirrored: Its accuracy on pictures it was not fitted to, as they are and mirrored.
        n: How many those were.
        reason: One sentence for people.
    """

    allowed: bool
    upright: float
    mirrored: float
    n: int
    reason: str


def flip_probe(
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    *,
    indices: NDArray[np.int64],
    classes: int,
    seed: int,
) -> FlipProbe:
    """Return whether left-right mirroring keeps the classes apart.

    Args:
        images: uint8 (N, H, W, C), usually memory-mapped; at most 6,000 of them are read.
        labels: int64 (N,).
        indices: Which are training pictures, int64 (M,).
        classes: Number of classes.
        seed: Of the choice and the halving.
    """
    chosen = indices[np.sort(stream(seed, "flip probe").permutation(len(indices))[:_PICTURES])]
    half = len(chosen) // 2
    if half < _FEWEST:
        reason = f"off: {len(indices)} pictures are too few to tell whether mirrored ones look alike"
        return FlipProbe(False, 0.0, 0.0, half, reason)
    small = np.concatenate(
        [_small(images[part]) for part in np.array_split(chosen, len(chosen) // _CHUNK + 1)]
    )
    known = labels[chosen]
    shuffled = stream(seed, "flip probe halves").permutation(len(small))
    fitted, asked = shuffled[half:], shuffled[:half]
    weights = _ridge(small[fitted], known[fitted], classes)
    upright = _answers(small[asked], weights) == known[asked]
    mirrored = _answers(small[asked][:, :, ::-1], weights) == known[asked]
    allowed, reason = _verdict(upright, mirrored, common=float(np.bincount(known[asked]).max() / half))
    return FlipProbe(allowed, float(upright.mean()), float(mirrored.mean()), half, reason)


def _verdict(upright: NDArray[np.bool_], mirrored: NDArray[np.bool_], *, common: float) -> tuple[bool, str]:
    """Return whether to mirror, and why, from which answers were right and the most common class's share."""
    n = len(upright)
    drop = float(upright.mean() - mirrored.mean())
    lost, won = int((upright & ~mirrored).sum()), int((~upright & mirrored).sum())
    seen = f"a linear probe recognizes {upright.mean():.1%} of {n} pictures"
    if upright.mean() <= common + _CLEARLY * math.sqrt(common * (1 - common) / n):
        return False, f"off: {seen}, the most common class alone would be {common:.1%}; it cannot tell"
    harmful = drop > _TOLERATED and _chance(lost, won) < _CERTAIN
    verdict = "off" if harmful else "on"
    return not harmful, f"{verdict}: {seen} and {mirrored.mean():.1%} of the same ones mirrored"


def _small(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return block means, (N, side, side, C), roughly in [-1, 1]; the middle of what does not divide."""
    height, width = images.shape[1:3]
    block = max(1, min(height, width) // _SIDE)
    side_y, side_x = min(_SIDE, height // block), min(_SIDE, width // block)
    top, left = (height - side_y * block) // 2, (width - side_x * block) // 2
    middle = images[:, top : top + side_y * block, left : left + side_x * block]
    blocks = middle.reshape(len(images), side_y, block, side_x, block, -1)
    means: NDArray[np.float64] = blocks.mean(axis=(2, 4)) / 127.5 - 1.0
    return means


def _ridge(pictures: NDArray[np.float64], labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    features = _features(pictures)
    targets = np.eye(classes, dtype=np.float64)[labels]
    gram = features.T @ features
    return np.linalg.solve(gram + _RIDGE * np.eye(len(gram)), features.T @ targets).astype(np.float64)


def _answers(pictures: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.int64]:
    answers: NDArray[np.int64] = (_features(pictures) @ weights).argmax(axis=1)
    return answers


def _features(pictures: NDArray[np.float64]) -> NDArray[np.float64]:
    flat = pictures.reshape(len(pictures), -1)
    return np.concatenate([flat, np.ones((len(flat), 1))], axis=1)


def _chance(lost: int, won: int) -> float:
    """Return how likely at least `lost` of `lost + won` fair coins fall one way (normal approximation)."""
    total = lost + won
    if total == 0:
        return 1.0
    return 0.5 * math.erfc((lost - total / 2 - 0.5) / math.sqrt(total / 2))
