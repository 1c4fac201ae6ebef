"""Behind frosted glass."""

import math

import numpy as np
from numpy.typing import NDArray

from foveal.perturb.corruptions._filter import blurred, gaussian
from foveal.perturb.corruptions._levels import between, length, side
from foveal.perturb.corruptions._pixels import piecewise, to_bytes
from foveal.perturb.corruptions._severity import UInt8, check

GROUP = "blur"
# Standard deviation and reach in pixels, and how often; the last time moves only a share of the pixels.
# The published levels for 32 pixels, once or twice with less blur in between, are not in order; ours are.
SMALL_SIGMA, LARGE_SIGMA = (0.25, 0.25, 0.3, 0.3, 0.3), (0.7, 0.9, 1.0, 1.1, 1.5)
SMALL_REACH, LARGE_REACH = (1.0, 1.0, 1.0, 1.0, 1.0), (1.0, 2.0, 2.0, 3.0, 4.0)
SMALL_TIMES, LARGE_TIMES = (0.5, 0.9, 1.2, 1.6, 2.0), (2.0, 1.0, 3.0, 2.0, 2.0)


def glass_blur(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the images blurred, with every pixel taken from a random neighbour, and blurred again.

    The paper swaps neighbours in turn; here all pixels are taken at once from up to `reach` away, which
    can be done on whole arrays.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Where the neighbours are.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    size = side(images)
    kernel = gaussian(length(SMALL_SIGMA, LARGE_SIGMA, severity=severity, side=size))
    reach = between(SMALL_REACH, LARGE_REACH, severity=severity, side=size)
    times = between(SMALL_TIMES, LARGE_TIMES, severity=severity, side=size)
    passes = math.ceil(times - 1e-9)
    last = 1 - (passes - times)

    def change(some: UInt8) -> UInt8:
        drawn = rng.random((len(some), passes, 3, *some.shape[1:3]), dtype=np.float32)
        shuffled = to_bytes(blurred(some, kernel))
        for number in range(passes):
            moves = np.rint((drawn[:, number, :2] - 0.5) * np.float32(2 * reach + 1)).astype(np.int32)
            if number == passes - 1:
                moves[np.broadcast_to(drawn[:, number, 2:] >= last, moves.shape)] = 0
            shuffled = _moved(shuffled, moves)
        return to_bytes(blurred(shuffled, kernel))

    return piecewise(images, change)


def _moved(images: UInt8, moves: NDArray[np.int32]) -> UInt8:
    """Return each pixel of (N, H, W, C) from so many rows and columns (N, 2, H, W) away, or from the edge."""
    count, height, width, channels = images.shape
    rows = np.clip(moves[:, 0] + np.arange(height, dtype=np.int32)[:, None], 0, height - 1)
    columns = np.clip(moves[:, 1] + np.arange(width, dtype=np.int32), 0, width - 1)
    picture = np.arange(count, dtype=np.int32)[:, None, None] * np.int32(height)
    moved: UInt8 = images.reshape(-1, channels).take((picture + rows) * np.int32(width) + columns, axis=0)
    return moved
