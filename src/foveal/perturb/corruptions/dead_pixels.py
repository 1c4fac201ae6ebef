"""Cells of the sensor that are stuck at black or white."""

import numpy as np

from foveal.perturb.corruptions._pixels import piecewise
from foveal.perturb.corruptions._severity import UInt8, at, check

GROUP = "sensor"
SHARE = (0.002, 0.005, 0.01, 0.02, 0.05)  # of all places


def dead_pixels(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the images with random places, all channels of them, at 0 or 255.

    Each picture comes from a camera of its own, and loses at least one place.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Which places are dead.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    height, width, channels = images.shape[1:]
    dead = min(height * width, max(1, round(at(SHARE, severity) * height * width)))

    def change(some: UInt8) -> UInt8:
        drawn = rng.random((len(some), height * width + dead), dtype=np.float32)
        # The smallest numbers are at random places.
        places = np.argpartition(drawn[:, : height * width], dead - 1, axis=1)[:, :dead]
        places.sort(axis=1)
        spoilt = some.reshape(len(some), height * width, channels).copy()
        stuck = np.where(drawn[:, height * width :] < 0.5, np.uint8(0), np.uint8(255))
        spoilt[np.arange(len(some))[:, None], places] = stuck[:, :, None]
        return spoilt.reshape(some.shape)

    return piecewise(images, change)
