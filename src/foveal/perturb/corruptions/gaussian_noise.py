"""Sensor noise, as in poor light."""

import numpy as np

from foveal.perturb.corruptions._levels import between, side
from foveal.perturb.corruptions._pixels import piecewise, to_bytes
from foveal.perturb.corruptions._severity import UInt8, check

GROUP = "noise"
# Standard deviation on the 0..1 scale.
SMALL = (0.04, 0.06, 0.08, 0.09, 0.10)
LARGE = (0.08, 0.12, 0.18, 0.26, 0.38)


def gaussian_noise(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the images with independent normal noise on every pixel and channel.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Where the noise comes from.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    sigma = np.float32(255 * between(SMALL, LARGE, severity=severity, side=side(images)))
    return piecewise(
        images, lambda some: to_bytes(some + sigma * rng.standard_normal(some.shape, dtype=np.float32))
    )
