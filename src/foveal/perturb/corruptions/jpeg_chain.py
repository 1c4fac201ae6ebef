"""Saved again and again, by programs that cut off an edge each time."""

import numpy as np
from numpy.typing import NDArray

from foveal.perturb.corruptions._jpeg import round_trip
from foveal.perturb.corruptions._pixels import piecewise
from foveal.perturb.corruptions._severity import UInt8, at, check

GROUP = "sensor"
TIMES = (2, 3, 3, 4, 4)
QUALITY = (75, 60, 45, 35, 20)  # libjpeg's scale, 1 to 95
_BLOCK = 8
_TALLEST = 60_000  # lines in a file: JPEG ends at 65,500


def jpeg_chain(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the images after several round trips through JPEG, each with another grid of blocks.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: How far the grid moves.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    times, quality = int(at(TIMES, severity)), int(at(QUALITY, severity))
    height, width = images.shape[1:3]

    def change(some: UInt8) -> UInt8:
        pictures = np.arange(len(some))[:, None, None]
        margins = (rng.random((len(some), times, 2)) * _BLOCK).astype(np.intp)
        for down, across in margins.transpose(1, 2, 0)[..., None]:
            rows, columns = _mirrored(down, height), _mirrored(across, width)
            saved = _saved(some[pictures, rows[:, :, None], columns[:, None, :]], quality)
            rows, columns = down + np.arange(height), across + np.arange(width)
            some = saved[pictures, rows[:, :, None], columns[:, None, :]]
        return some

    return piecewise(images, change, most=max(1, _TALLEST // (height + 2 * _BLOCK)))


def _mirrored(margin: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Return which lines (N, L) fill whole blocks, after margins (N, 1) that mirror them."""
    whole = -(-(length + _BLOCK - 1) // _BLOCK) * _BLOCK
    places = (np.arange(whole) - margin) % (2 * length)
    inside: NDArray[np.intp] = np.minimum(places, 2 * length - 1 - places)
    return inside


def _saved(images: UInt8, quality: int) -> UInt8:
    """Return pictures after JPEG.

    They are one file, one below the other: blocks know nothing of each other where no channel is stored
    with fewer pixels, and one file takes less time than many.
    """
    stack = images.reshape(-1, *images.shape[2:])
    return round_trip(stack, quality, every_pixel=True).reshape(images.shape)
