"""The camera or the part sits wrong."""

import math

import numpy as np

from foveal.perturb.corruptions._pixels import piecewise, to_bytes
from foveal.perturb.corruptions._severity import UInt8, at, check
from foveal.perturb.corruptions._warp import warped

GROUP = "sensor"
SHIFT = (0.02, 0.04, 0.06, 0.09, 0.13)  # of the shorter side, in a random direction
DEGREES = (1.0, 2.0, 4.0, 6.0, 9.0)  # to the left or to the right


def misalignment(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return each image turned around its middle and shifted; what comes in at the edge is mirrored.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Which way.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    height, width = images.shape[1:3]
    shift, angle = at(SHIFT, severity) * min(height, width), math.radians(at(DEGREES, severity))
    rows = np.arange(height, dtype=np.float32)[:, None] - np.float32((height - 1) / 2)
    columns = np.arange(width, dtype=np.float32) - np.float32((width - 1) / 2)

    def change(some: UInt8) -> UInt8:
        drawn = rng.random((len(some), 2))
        way = 2 * np.pi * drawn[:, 0]
        turn = np.where(drawn[:, 1] < 0.5, -angle, angle)
        sin, cos = (part.astype(np.float32)[:, None, None] for part in (np.sin(turn), np.cos(turn)))
        down = (shift * np.sin(way) + (height - 1) / 2).astype(np.float32)[:, None, None]
        across = (shift * np.cos(way) + (width - 1) / 2).astype(np.float32)[:, None, None]
        return to_bytes(warped(some, cos * rows - sin * columns + down, sin * rows + cos * columns + across))

    return piecewise(images, change)
