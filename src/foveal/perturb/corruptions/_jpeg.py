"""A round trip through JPEG."""

import io

import numpy as np
from PIL import Image

from foveal.perturb.corruptions._severity import UInt8


def round_trip(image: UInt8, quality: int, *, every_pixel: bool = False) -> UInt8:
    """Return a picture (H, W, C) after JPEG; more or fewer than 3 channels go one by one.

    Args:
        image: H and W from 1 to 65,535.
        quality: libjpeg's scale, 1 to 95.
        every_pixel: Colour is stored for every pixel, not for every second one (4:4:4, not 4:2:0).
    """
    if image.shape[2] == 3:
        return _one(image, quality, every_pixel)
    planes = [_one(image[:, :, channel], quality, every_pixel) for channel in range(image.shape[2])]
    return np.stack(planes, axis=2)


def _one(pixels: UInt8, quality: int, every_pixel: bool) -> UInt8:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(
        file, "JPEG", quality=quality, subsampling=0 if every_pixel else 2
    )
    with Image.open(file) as image:
        return np.asarray(image)
