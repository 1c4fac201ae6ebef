"""Too few pixels, shown large."""

import numpy as np
from PIL import Image

from foveal.perturb.corruptions._levels import between, side
from foveal.perturb.corruptions._severity import UInt8, check

GROUP = "digital"
# Share of the pixels along each side that are left.
SMALL = (0.95, 0.9, 0.85, 0.75, 0.65)
LARGE = (0.6, 0.5, 0.4, 0.3, 0.25)


def pixelate(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the images made smaller and larger again by area averages; each side keeps at least 1 pixel.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Not used; nothing here is random.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    share = between(SMALL, LARGE, severity=severity, side=side(images))
    height, width = images.shape[1:3]
    smaller = max(1, int(width * share)), max(1, int(height * share))
    result = np.empty_like(images)
    for number, image in enumerate(images):
        if image.shape[2] == 3:
            result[number] = _there_and_back(image, smaller)
        else:
            for channel in range(image.shape[2]):
                result[number, :, :, channel] = _there_and_back(image[:, :, channel], smaller)
    return result


def _there_and_back(pixels: UInt8, smaller: tuple[int, int]) -> UInt8:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    few = image.resize(smaller, Image.Resampling.BOX)
    return np.asarray(few.resize(image.size, Image.Resampling.BOX))
