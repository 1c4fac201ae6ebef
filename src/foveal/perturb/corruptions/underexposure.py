"""Too little light reached the sensor."""

import numpy as np

from foveal.perturb.corruptions._severity import UInt8, at, check

GROUP = "sensor"
GAIN = (0.8, 0.65, 0.5, 0.35, 0.25)  # of the stored, gamma-encoded values


def underexposure(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the images darkened by a constant factor.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Not used; nothing here is random.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    table = (np.arange(256) * at(GAIN, severity)).round().astype(np.uint8)
    return table[images]
