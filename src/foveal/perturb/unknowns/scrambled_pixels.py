"""The colours of known pictures without any arrangement."""

import numpy as np
from numpy.typing import NDArray


def scrambled_pixels(images: NDArray[np.uint8], *, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return known pictures with their pixels in random order, uint8 (N, H, W, C)."""
    count, height, width, channels = images.shape
    places = rng.permuted(np.tile(np.arange(height * width), (count, 1)), axis=1)
    pixels = images.reshape(count, height * width, channels)
    return np.asarray(pixels[np.arange(count)[:, None], places].reshape(images.shape))
