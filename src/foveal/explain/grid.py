"""The grid of cells that a map is given on, and the ways between cells and pixels."""

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

CELLS = 16  # along each side of a map, where the picture has as many pixels


def edges(size: int) -> NDArray[np.int64]:
    """Return where the cells along a side of `size` pixels begin and end, int64 (cells + 1,)."""
    cells = min(CELLS, size)
    return np.linspace(0, size, cells + 1).round().astype(np.int64)


def enlarged(cells: NDArray[np.floating], height: int, width: int) -> Float32:
    """Return a map at another size, float32 (height, width), linear between the centres of its cells.

    Beyond the outermost centres it stays level, so no value lies outside those of the map.

    Args:
        cells: (h, w).
        height: In pixels, ≥ 1.
        width: In pixels, ≥ 1.
    """
    rows, columns = _weights(cells.shape[0], height), _weights(cells.shape[1], width)
    return (rows @ cells.astype(np.float64) @ columns.T).astype(np.float32)


def reduced(pixels: NDArray[np.floating]) -> Float32:
    """Return the mean of the pixels of each cell, float32 (cells, cells), of a square map (size, size)."""
    cuts = edges(len(pixels))
    sums = np.add.reduceat(np.add.reduceat(pixels.astype(np.float64), cuts[:-1], axis=0), cuts[:-1], axis=1)
    means: Float32 = (sums / np.outer(np.diff(cuts), np.diff(cuts))).astype(np.float32)
    return means


def _weights(cells: int, pixels: int) -> NDArray[np.float64]:
    """Return the share that each cell has in each pixel, (pixels, cells); rows sum to 1."""
    at = ((np.arange(pixels) + 0.5) * cells / pixels - 0.5).clip(0, cells - 1)
    below = np.floor(at).astype(np.int64)
    above = np.minimum(below + 1, cells - 1)
    weights = np.zeros((pixels, cells))
    np.add.at(weights, (np.arange(pixels), below), 1 - (at - below))
    np.add.at(weights, (np.arange(pixels), above), at - below)
    return weights
