"""How much an answer gains where a picture shows through random masks."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.answering import Runs
from foveal.core.random import stream
from foveal.explain import grid
from foveal.explain.backdrop import backdrop
from foveal.explain.scores import Float32, UInt8, check_picture, log_odds, probabilities

UNIT = "nats"  # of log-odds
MASKS = 128  # answers that a map takes
_SIDE = 7  # squares of a mask along each side, shown or hidden with probability 1/2


def rise(runs: Runs, image: UInt8, index: int, *, seed: int = 0, masks: int = MASKS) -> Float32:
    """Return by how much the log-odds of a class rise where a cell is shown, float32 (16, 16), in nats.

    The map is the slope of the log-odds over each pixel's mask. Every mask comes with its opposite, which
    takes out what all masks have in common and lets far fewer do than the thousands of the paper.

    Source: Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", 2018, §3;
    with a blurred picture behind instead of black, log-odds, and opposite masks.

    Args:
        runs: The recognizer.
        image: uint8 (size, size, channels) at model size.
        index: The class.
        seed: Of the masks.
        masks: How many answers it takes, even and at least 2.

    Raises:
        UsageError: The picture is not such.
    """
    check_picture(image)
    shown = _masks(len(image), masks // 2, seed)
    answers = log_odds(probabilities(runs, _mixed(image, shown)), index)
    differences = answers[0::2] - answers[1::2]  # of each mask and its opposite
    centred = shown.astype(np.float64) - 0.5
    slope = np.tensordot(differences, centred, axes=1) / (2 * (centred**2).sum(axis=0))
    return grid.reduced(slope)


def _masks(size: int, count: int, seed: int) -> Float32:
    """Return random masks in [0, 1], float32 (count, size, size): squares, softened and shifted."""
    rng = stream(seed, "rise")
    square = -(-size // _SIDE)
    found = np.empty((count, size, size), np.float32)
    for mask in found:
        squares = rng.integers(0, 2, (_SIDE + 1, _SIDE + 1)).astype(np.float32)
        soft = grid.enlarged(squares, (_SIDE + 1) * square, (_SIDE + 1) * square)
        top, left = rng.integers(0, square, 2) if square > 1 else (0, 0)
        mask[:] = soft[top : top + size, left : left + size]
    return found


def _mixed(image: UInt8, shown: Float32) -> Iterator[UInt8]:
    """Yield the picture behind each mask, and behind its opposite."""
    front, behind = image.astype(np.float32), backdrop(image).astype(np.float32)
    for mask in shown[..., None]:
        yield _mix(front, behind, mask)
        yield _mix(front, behind, 1 - mask)


def _mix(front: Float32, behind: Float32, mask: NDArray[np.float32]) -> UInt8:
    return (behind + mask * (front - behind)).round().clip(0, 255).astype(np.uint8)
