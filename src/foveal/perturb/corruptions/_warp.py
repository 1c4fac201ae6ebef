"""Look pictures up at other places."""

import numpy as np
from numpy.typing import NDArray

from foveal.perturb.corruptions._pixels import Floats
from foveal.perturb.corruptions._severity import UInt8


def warped(images: UInt8, rows: Floats, columns: Floats) -> Floats:
    """Return images at fractional places: bilinear, mirrored beyond the edges.

    Args:
        images: (N, H, W, C).
        rows: From which row each pixel comes, (N, H, W).
        columns: And from which column.

    Returns:
        float32 (N, H, W, C).
    """
    count, height, width, channels = images.shape
    pixels = images.reshape(-1, channels)
    top, left = np.floor(rows), np.floor(columns)
    down, across = (rows - top)[..., None], (columns - left)[..., None]
    first = np.arange(count, dtype=np.int32)[:, None, None] * np.int32(height * width)
    upper = first + _inside(top, height) * np.int32(width)
    lower = first + _inside(top + 1, height) * np.int32(width)
    near, far = _inside(left, width), _inside(left + 1, width)
    above = _mix(pixels.take(upper + near, axis=0), pixels.take(upper + far, axis=0), across)
    below = _mix(pixels.take(lower + near, axis=0), pixels.take(lower + far, axis=0), across)
    return above + (below - above) * down


def _mix(first: UInt8, second: UInt8, share: Floats) -> Floats:
    start = first.astype(np.float32)
    return start + (second - start) * share


def _inside(places: Floats, length: int) -> NDArray[np.int32]:
    """Return the index inside [0, length) that a mirror at the border shows; the edge is not repeated."""
    if length == 1:
        return np.zeros(places.shape, dtype=np.int32)
    period = 2 * (length - 1)
    index = np.abs(places.astype(np.int32))
    if index.size and index.max() > period:
        index %= period
    inside: NDArray[np.int32] = np.minimum(index, period - index)
    return inside
