"""Too few photons: each arrives by chance."""

import numpy as np

from foveal.perturb.corruptions._levels import between, side
from foveal.perturb.corruptions._pixels import piecewise, to_bytes
from foveal.perturb.corruptions._severity import UInt8, check

GROUP = "noise"
# Photons that a white pixel counts.
SMALL = (500.0, 250.0, 100.0, 75.0, 50.0)
LARGE = (60.0, 25.0, 12.0, 5.0, 3.0)


def shot_noise(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return a Poisson count for every pixel and channel, scaled back to grey levels.

    A value v becomes Poisson(v·p / 255) · 255 / p: its mean stays, its variance is v · 255 / p.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Where the noise comes from.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    photons = between(SMALL, LARGE, severity=severity, side=side(images))
    expected = np.arange(256) * (photons / 255)
    scale = np.float32(255 / photons)
    return piecewise(images, lambda some: to_bytes(rng.poisson(expected[some]) * scale))
