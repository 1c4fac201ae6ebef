"""Edges of areas, and what lies near them, by sums over windows."""

import math

import numpy as np
from numpy.typing import NDArray

from foveal.data.scene import VOID

Bools = NDArray[np.bool_]


def edges(regions: NDArray[np.uint8]) -> Bools:
    """Return the pixels that touch one of another class above, below, left or right, bool (H, W).

    What touches only pixels of which nothing is said (255), or the border of the picture, is no edge.
    """
    found = np.zeros(regions.shape, np.bool_)
    for one, other in (
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
    ):
        differ = (regions[one] != regions[other]) & (regions[one] != VOID) & (regions[other] != VOID)
        found[one] |= differ
        found[other] |= differ
    return found


def near(masks: Bools, radius: float) -> Bools:
    """Return the pixels whose middle is at most `radius` away from that of one of a mask, bool (…, H, W)."""
    reached = np.zeros(masks.shape, np.bool_)
    height = masks.shape[-2]
    for down in range(-min(int(radius), height - 1), min(int(radius), height - 1) + 1):
        wide = _summed(masks, math.isqrt(int(radius**2 - down**2)), axis=-1) > 0
        to, of = slice(max(down, 0), height + min(down, 0)), slice(max(-down, 0), height - max(down, 0))
        reached[..., to, :] |= wide[..., of, :]
    return reached


def inner_band(masks: Bools, width: int) -> Bools:
    """Return the pixels of a mask that are at most `width` rows and columns away from one outside of it.

    Outside of the picture everything is outside of the mask.

    Args:
        masks: bool (…, H, W).
        width: In pixels, at least 1.
    """
    side = 2 * width + 1
    rows = _summed(masks, width, axis=-1) == side
    band: Bools = masks & (_summed(rows, width, axis=-2) != side)
    return band


def diagonal(shape: tuple[int, ...]) -> float:
    """Return the length of the diagonal of a picture (H, W) in pixels."""
    return math.hypot(shape[-2], shape[-1])


def _summed(masks: Bools, reach: int, *, axis: int) -> NDArray[np.int32]:
    """Return how many pixels of a mask are at most `reach` away along one axis."""
    size = masks.shape[axis]
    start = np.zeros_like(np.take(masks, [0], axis=axis), np.int32)
    total = np.concatenate([start, np.cumsum(masks, axis=axis, dtype=np.int32)], axis=axis)
    places = np.arange(size)
    last, first = np.minimum(places + reach + 1, size), np.maximum(places - reach, 0)
    difference: NDArray[np.int32] = np.take(total, last, axis=axis) - np.take(total, first, axis=axis)
    return difference
