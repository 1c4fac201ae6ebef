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
    height, width = images.shape[1:3]
    dead = min(height * width, max(1, round(at(SHARE, severity) * height * width)))

    def change(some: UInt8) -> UInt8:
        drawn = rng.random((len(some), height * width), dtype=np.float32)
        # The smallest numbers are at random places; whether their last bit is set is as random.
        places = np.argsort(drawn, axis=1, kind="stable")[:, :dead]
        spoilt = some.reshape(len(some), height * width, -1).copy()
        stuck = (drawn.view(np.uint32) >> 3 & 1).astype(np.uint8) * np.uint8(255)
        pictures = np.arange(len(some))[:, None]
        spoilt[pictures, places] = stuck[pictures, places][..., None]
        return spoilt.reshape(some.shape)

    return piecewise(images, change)
