"""Two known pictures at once, neither of which it is."""

import numpy as np
from numpy.typing import NDArray


def blend(images: NDArray[np.uint8], *, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return means of two different known pictures, uint8 (N, H, W, C); one alone is left as it is."""
    order = rng.permutation(len(images))
    partner = np.empty_like(order)
    partner[order] = np.roll(order, 1)
    return ((images.astype(np.uint16) + images[partner] + 1) // 2).astype(np.uint8)
