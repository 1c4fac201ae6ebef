"""A round trip through JPEG."""

import io

import numpy as np
from PIL import Image

from foveal.perturb.corruptions._severity import UInt8


def round_trip(image: UInt8, quality: int) -> UInt8:
    """Return a picture (H, W, C) after JPEG; more or fewer than 3 channels go one by one.

    Args:
        image: H and W from 1 to 65,535.
        quality: libjpeg's scale, 1 to 95.
    """
    if image.shape[2] == 3:
        return _one(image, quality)
    planes = [_one(image[:, :, channel], quality) for channel in range(image.shape[2])]
    return np.stack(planes, axis=2)


def _one(pixels: UInt8, quality: int) -> UInt8:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        return np.asarray(image)
