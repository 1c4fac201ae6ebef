"""Every grey level as likely as the other."""

import numpy as np
from numpy.typing import NDArray


def uniform_noise(images: NDArray[np.uint8], *, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return independent uniform grey levels, uint8 (N, H, W, C); of `images` only the shape counts."""
    return rng.integers(0, 256, images.shape, dtype=np.uint8)
