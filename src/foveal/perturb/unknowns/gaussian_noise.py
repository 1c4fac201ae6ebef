"""The brightness and contrast of known pictures, and nothing else of them."""

import numpy as np
from numpy.typing import NDArray


def gaussian_noise(images: NDArray[np.uint8], *, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return normal noise with each picture's mean and spread in each channel, uint8 (N, H, W, C)."""
    mean = images.mean(axis=(1, 2), keepdims=True)
    spread = images.std(axis=(1, 2), keepdims=True)
    levels: NDArray[np.float64] = mean + spread * rng.standard_normal(images.shape)
    return levels.round().clip(0, 255).astype(np.uint8)
