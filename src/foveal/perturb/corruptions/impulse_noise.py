"""Bit errors: salt and pepper."""

import numpy as np

from foveal.perturb.corruptions._levels import between, side
from foveal.perturb.corruptions._pixels import piecewise
from foveal.perturb.corruptions._severity import UInt8, check

GROUP = "noise"
# Share of values that are lost.
SMALL = (0.01, 0.02, 0.03, 0.05, 0.07)
LARGE = (0.03, 0.06, 0.09, 0.17, 0.27)


def impulse_noise(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the images with a share of all values, each channel for itself, set to 0 or 255.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Where the noise comes from.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    share = between(SMALL, LARGE, severity=severity, side=side(images))

    def change(some: UInt8) -> UInt8:
        drawn = rng.random(some.shape, dtype=np.float32)
        spoilt = np.where(drawn < share / 2, np.uint8(0), some)
        spoilt[drawn >= 1 - share / 2] = 255
        return spoilt

    return piecewise(images, change)
