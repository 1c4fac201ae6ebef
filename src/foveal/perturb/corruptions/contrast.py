"""Too little contrast."""

import numpy as np

from foveal.perturb.corruptions._levels import between, side
from foveal.perturb.corruptions._pixels import piecewise, to_bytes
from foveal.perturb.corruptions._severity import UInt8, check

GROUP = "digital"
# What is left of the distance from the mean.
SMALL = (0.75, 0.5, 0.4, 0.3, 0.15)
LARGE = (0.4, 0.3, 0.2, 0.1, 0.05)


def contrast(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the images drawn together around the mean of each channel of each picture.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Not used; nothing here is random.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    left = np.float32(between(SMALL, LARGE, severity=severity, side=side(images)))
    pixels = images.shape[1] * images.shape[2]

    def change(some: UInt8) -> UInt8:
        means = (some.sum(axis=(1, 2), keepdims=True, dtype=np.int64) / pixels).astype(np.float32)
        return to_bytes((some - means) * left + means)

    return piecewise(images, change)
