"""Dust on the lens or on the glass over the sensor."""

import numpy as np

from foveal.perturb.corruptions._pixels import piecewise, to_bytes
from foveal.perturb.corruptions._severity import UInt8, at, check

GROUP = "sensor"
SPOTS = (2, 4, 7, 11, 16)
SHADE = (0.35, 0.45, 0.55, 0.65, 0.75)  # of the light that the middle of a spot takes away
_SMALLEST, _LARGEST = 0.02, 0.07  # radius as a share of the shorter side
_SOFT = 0.5  # of the radius over which a spot ends


def dust(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the images with soft dark spots at random places.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Places and sizes of the spots.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    spots, shade = int(at(SPOTS, severity)), np.float32(at(SHADE, severity))
    height, width = images.shape[1:3]
    shorter = min(height, width)
    rows, columns = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)

    def change(some: UInt8) -> UInt8:
        drawn = rng.random((len(some), spots, 3), dtype=np.float32)
        dark = np.zeros((len(some), height, width), dtype=np.float32)
        for place in range(spots):
            down, across, size = drawn[:, place].T[..., None, None]
            radius = (_SMALLEST + (_LARGEST - _SMALLEST) * size) * np.float32(shorter)
            radius = np.maximum(radius, np.float32(0.8))  # or it could lie between all pixels
            distance = np.sqrt((rows - down * (height - 1)) ** 2 + (columns - across * (width - 1)) ** 2)
            np.maximum(dark, np.clip((1 + _SOFT - distance / radius) / _SOFT, 0, 1), out=dark)
        return to_bytes(some * (1 - shade * dark[..., None]))

    return piecewise(images, change)
