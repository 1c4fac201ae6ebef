"""Light that grows in one direction, as on a wall."""

import numpy as np
from numpy.typing import NDArray


def gradient(images: NDArray[np.uint8], *, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return straight ramps between two random colours in a random direction, uint8 (N, H, W, C)."""
    count, height, width, channels = images.shape
    angle = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    down, right = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
    share = (down * np.sin(angle) + right * np.cos(angle)) / (2 * np.sqrt(2)) + 0.5
    low, high = rng.uniform(0, 255, (2, count, 1, 1, channels))
    levels: NDArray[np.float64] = low + (high - low) * share[..., None]
    return levels.round().clip(0, 255).astype(np.uint8)
