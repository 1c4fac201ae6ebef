"""The lamp ages, the sun comes out, the exposure is off."""

import numpy as np

from foveal.perturb.corruptions._pixels import piecewise
from foveal.perturb.corruptions._severity import UInt8, at, check

GROUP = "sensor"
STOPS = (0.3, 0.6, 0.9, 1.3, 1.8)  # powers of two of the light
_GAMMA = 2.2  # by which stored values are encoded


def exposure_drift(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return each image with more or with less light, by chance; what is too bright stops at 255.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Which way each picture goes.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    stops = at(STOPS, severity)
    levels = np.arange(256)
    tables = np.stack(
        [np.minimum(255, levels * 2 ** (way * stops / _GAMMA)).round().astype(np.uint8) for way in (-1, 1)]
    )

    def change(some: UInt8) -> UInt8:
        ways = (rng.random(len(some)) < 0.5).astype(np.intp)
        return tables[ways[:, None, None, None], some]

    return piecewise(images, change)
