"""What is put where a part of a picture is hidden: the picture itself, blurred beyond recognition.

Black or grey patches would be shapes of their own, which a network can react to; what it then says is about
the patch and not about what is missing. Source of the blurred start: Petsiuk et al., "RISE", 2018, §4.1.
"""

import numpy as np
from PIL import Image, ImageFilter

from foveal.explain.scores import UInt8

_BLUR = 1 / 6  # standard deviation as a share of the side: only the colour of the wider surroundings is left


def backdrop(image: UInt8) -> UInt8:
    """Return the picture without its details, uint8 (size, size, channels).

    Args:
        image: uint8 (size, size, channels).
    """
    blur = ImageFilter.GaussianBlur(_BLUR * len(image))
    planes = [Image.fromarray(np.ascontiguousarray(image[:, :, c])) for c in range(image.shape[2])]
    return np.stack([np.asarray(plane.filter(blur)) for plane in planes], axis=2)
