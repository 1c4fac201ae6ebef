"""Clouds of colour: noise without fine detail, which many networks take for an object."""

import numpy as np
from numpy.typing import NDArray


def smooth_noise(images: NDArray[np.uint8], *, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return random grids of 3 to 8 grey levels a side with straight lines between, uint8 (N, H, W, C)."""
    count, height, width, channels = images.shape
    pictures = np.empty(images.shape, np.uint8)
    for picture in range(count):
        knots = int(rng.integers(3, 9))
        grid = rng.uniform(0, 255, (knots, knots, channels))
        rows = _between(knots, height) @ grid.reshape(knots, -1)
        columns = _between(knots, width) @ rows.reshape(height, knots, channels)
        pictures[picture] = columns.round().astype(np.uint8)
    return pictures


def _between(knots: int, length: int) -> NDArray[np.float64]:
    """Return the weights of the knots at each place along a side, (length, knots)."""
    place = np.linspace(0, knots - 1, length)[:, None]
    return np.maximum(0.0, 1.0 - np.abs(place - np.arange(knots)))
