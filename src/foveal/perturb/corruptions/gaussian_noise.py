"""Sensor noise, as in poor light."""

import numpy as np

from foveal.perturb.corruptions._severity import UInt8, at, check

SIGMA = (0.04, 0.06, 0.08, 0.12, 0.18)  # standard deviation on the 0..1 scale


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
    sigma = np.float32(255 * at(SIGMA, severity))
    noisy = images + sigma * rng.standard_normal(images.shape, dtype=np.float32)
    return noisy.round().clip(0, 255).astype(np.uint8)
