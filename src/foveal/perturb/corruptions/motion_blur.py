"""The camera or the thing moved."""

import math

import numpy as np

from foveal.perturb.corruptions._levels import length, side
from foveal.perturb.corruptions._line import traced
from foveal.perturb.corruptions._pixels import to_bytes
from foveal.perturb.corruptions._severity import UInt8, check

GROUP = "blur"
# The published fourth deviation for 32 pixels is 2, which gives the third level once more.
# Reach of the trace and its standard deviation, in pixels. ImageMagick makes a radius r a trace of 2r.
SMALL_REACH, SMALL_SIGMA = (12.0, 12.0, 12.0, 16.0, 18.0), (1.0, 1.5, 2.0, 2.25, 2.5)
LARGE_REACH, LARGE_SIGMA = (20.0, 30.0, 30.0, 30.0, 40.0), (3.0, 5.0, 8.0, 12.0, 15.0)
_STEEPEST = math.pi / 4


def motion_blur(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return each image smeared along a line of its own, at most 45° from the horizontal; edges mirror.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Where the angles come from.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    size = side(images)
    reach = round(length(SMALL_REACH, LARGE_REACH, severity=severity, side=size))
    sigma = length(SMALL_SIGMA, LARGE_SIGMA, severity=severity, side=size)
    result = np.empty_like(images)
    for number, image in enumerate(images):
        angle = rng.uniform(-_STEEPEST, _STEEPEST)
        result[number] = to_bytes(traced(image, reach=reach, sigma=sigma, angle=angle))
    return result
