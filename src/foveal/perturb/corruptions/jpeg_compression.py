"""A camera or a messenger that saves space."""

import numpy as np

from foveal.perturb.corruptions._jpeg import round_trip
from foveal.perturb.corruptions._levels import between, side
from foveal.perturb.corruptions._severity import UInt8, check

GROUP = "digital"
# libjpeg's quality, 1 to 95.
SMALL = (80.0, 65.0, 58.0, 50.0, 40.0)
LARGE = (25.0, 18.0, 15.0, 10.0, 7.0)


def jpeg_compression(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the images after a round trip through JPEG; more or fewer than 3 channels go one by one.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Not used; nothing here is random.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    quality = round(between(SMALL, LARGE, severity=severity, side=side(images)))
    result = np.empty_like(images)
    for number, image in enumerate(images):
        result[number] = round_trip(image, quality)
    return result
