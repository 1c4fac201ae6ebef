"""Saved again and again, by programs that cut off an edge each time."""

import numpy as np
from numpy.typing import NDArray

from foveal.perturb.corruptions._jpeg import round_trip
from foveal.perturb.corruptions._severity import UInt8, at, check

GROUP = "sensor"
TIMES = (2, 3, 3, 4, 4)
QUALITY = (75, 60, 45, 35, 20)  # libjpeg's scale, 1 to 95
_BLOCK = 8


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
    result = np.empty_like(images)
    for number, image in enumerate(images):
        saved = image
        for down, across in (rng.random((times, 2)) * _BLOCK).astype(int):
            rows = _mirrored(down, height)
            larger = round_trip(saved[rows[:, None], _mirrored(across, width)], quality)
            saved = larger[down : down + height, across : across + width]
        result[number] = saved
    return result


def _mirrored(margin: int, length: int) -> NDArray[np.intp]:
    """Return which lines stand where a margin that mirrors them is put in front, also a longer one."""
    places = np.abs(np.arange(-margin, length)) % max(1, 2 * length - 2)
    return np.minimum(places, np.maximum(0, 2 * length - 2 - places))
