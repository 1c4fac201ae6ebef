"""One colour: a covered lens, an empty belt."""

import numpy as np
from numpy.typing import NDArray


def solid(images: NDArray[np.uint8], *, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return pictures of one random colour each, uint8 (N, H, W, C)."""
    colours = rng.integers(0, 256, (len(images), 1, 1, images.shape[3]), dtype=np.uint8)
    return np.ascontiguousarray(np.broadcast_to(colours, images.shape))
