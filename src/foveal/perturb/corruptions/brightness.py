"""Too much light."""

import numpy as np

from foveal.perturb.corruptions._levels import between, side
from foveal.perturb.corruptions._pixels import piecewise, to_bytes
from foveal.perturb.corruptions._severity import UInt8, check

GROUP = "weather"
# Added to the value (the largest channel) of each pixel, on the 0..1 scale.
SMALL = (0.05, 0.10, 0.15, 0.20, 0.30)
LARGE = (0.10, 0.20, 0.30, 0.40, 0.50)


def brightness(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the images with a larger V of hue, saturation and value; black becomes grey.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Not used; nothing here is random.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    added = 255 * between(SMALL, LARGE, severity=severity, side=side(images))
    levels = np.arange(256, dtype=np.float32)
    brighter = np.minimum(levels + np.float32(added), 255)
    gain = brighter / np.maximum(levels, 1)  # hue and saturation stay when all channels grow alike

    def change(some: UInt8) -> UInt8:
        value = some.max(axis=3, keepdims=True)
        return to_bytes(np.where(value == 0, brighter[0], some * gain[value]))

    return piecewise(images, change)
