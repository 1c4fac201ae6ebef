"""A camera or a messenger that saves space."""

import io

import numpy as np
from PIL import Image

from foveal.perturb.corruptions._severity import UInt8, at, check

QUALITY = (60, 40, 25, 15, 8)  # libjpeg's scale, 1 to 95


def jpeg_compression(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the images after a round trip through JPEG; more or fewer than 3 channels go one by one.

    Args:
        images: uint8 (N, H, W, C), H and W from 1 to 65,535.
        severity: 1 to 5.
        rng: Not used; nothing here is random.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    quality = int(at(QUALITY, severity))
    result = np.empty_like(images)
    for number, image in enumerate(images):
        if image.shape[2] == 3:
            result[number] = _round_trip(image, quality)
        else:
            for channel in range(image.shape[2]):
                result[number, :, :, channel] = _round_trip(image[:, :, channel], quality)
    return result


def _round_trip(pixels: UInt8, quality: int) -> UInt8:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        return np.asarray(image)
