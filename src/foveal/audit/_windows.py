"""Looking at thumbnails through windows, at a coarser grid: small matrices, applied to many at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foveal.audit.glance import SIDE

Float32 = NDArray[np.float32]
Window = tuple[float, float]  # where it begins and how wide it is, as shares of the side
WHOLE: Window = (0.0, 1.0)
_FAINT = 8.0  # a vector shorter than this (in grey levels) is noise; it stays short and matches nothing


def sampler(cells: int, window: Window = WHOLE) -> Float32:
    """Return the matrix (cells, 32) that averages a window of a thumbnail's side over equal cells."""
    start, width = window
    edges = (start + width * np.arange(cells + 1) / cells) * SIDE
    places = np.arange(SIDE)
    overlap = np.minimum(edges[1:, None], places + 1) - np.maximum(edges[:-1, None], places)
    weights = overlap.clip(min=0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def seen_through(thumbnails: Float32, vertical: Float32, horizontal: Float32) -> Float32:
    """Return thumbnails (N, 32, 32) through two samplers, float32 (N, cells, cells)."""
    return np.asarray(vertical @ thumbnails @ horizontal.T)


def without_shading(thumbnails: Float32, *, sigma: float) -> Float32:
    """Return thumbnails minus their Gaussian blur: what is left tells pictures apart, light does not."""
    places = np.arange(SIDE)
    weights = np.exp(-0.5 * ((places[:, None] - places) / sigma) ** 2)
    blur = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return np.asarray(thumbnails - blur @ thumbnails @ blur.T)


def directions(views: Float32) -> Float32:
    """Return views as vectors of mean 0 and length 1 along the last axis: products are correlations.

    Nearly uniform ones keep a length below 1, so that they are like nothing.
    """
    views = views - views.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(views, axis=-1, keepdims=True)
    return np.asarray(views / np.maximum(length, _FAINT), dtype=np.float32)


def through_all(thumbnails: Float32, scales: Sequence[Sequence[Window]], *, cells: int) -> Float32:
    """Return thumbnails through every pair of windows of the same scale.

    Args:
        thumbnails: float32 (N, 32, 32).
        scales: For each scale the windows along one side.
        cells: Of the coarser grid.

    Returns:
        float32 (N, windows, cells²); windows are ordered by scale.
    """
    count, views = len(thumbnails), []
    for windows in scales:
        samplers = np.concatenate([sampler(cells, window) for window in windows])
        # Two large products instead of many small ones.
        across = (thumbnails.reshape(-1, SIDE) @ samplers.T).reshape(count, SIDE, -1)
        down = (samplers @ across.transpose(1, 0, 2).reshape(SIDE, -1)).reshape(
            len(windows), cells, count, len(windows), cells
        )
        views.append(down.transpose(2, 0, 3, 1, 4).reshape(count, len(windows) ** 2, cells**2))
    return np.concatenate(views, axis=1)
