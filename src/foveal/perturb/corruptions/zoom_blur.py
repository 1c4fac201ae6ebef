"""The camera came nearer."""

import numpy as np

from foveal.perturb.corruptions._levels import between, side
from foveal.perturb.corruptions._pixels import Floats, piecewise, to_bytes
from foveal.perturb.corruptions._severity import UInt8, check

GROUP = "blur"
# Largest magnification.
SMALL = (1.05, 1.10, 1.15, 1.20, 1.25)
LARGE = (1.10, 1.15, 1.20, 1.24, 1.30)
_HALF_A_PIXEL = 0.5  # that the edge moves from one magnification to the next, as far as
_MOST = 15  # magnifications; ImageNet-C takes 11 to 16


def zoom_blur(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the mean of the images and of their magnified middles.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Not used; nothing here is random.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    size = side(images)
    largest = between(SMALL, LARGE, severity=severity, side=size)
    times = min(_MOST, round((largest - 1) * size / 2 / _HALF_A_PIXEL))
    zooms = [1 + (largest - 1) * time / times for time in range(1, times + 1)]

    def change(some: UInt8) -> UInt8:
        total = some * np.float32(2)  # the paper counts the picture itself and a magnification of 1
        for zoom in zooms:
            total += _along(_along(some, zoom, axis=1), zoom, axis=2)
        return to_bytes(total * np.float32(1 / (times + 2)))

    return piecewise(images, change)


def _along(images: UInt8 | Floats, zoom: float, *, axis: int) -> Floats:
    """Return the middle magnified along one axis, bilinear."""
    length = images.shape[axis]
    middle = (length - 1) / 2
    places = middle + (np.arange(length) - middle) / zoom
    first = np.floor(places).astype(np.int64)
    shape = [1] * 4
    shape[axis] = length
    share = (places - first).astype(np.float32).reshape(shape)
    start = images.take(first, axis=axis).astype(np.float32, copy=False)
    end = images.take(np.minimum(first + 1, length - 1), axis=axis)
    magnified: Floats = start + (end - start) * share
    return magnified
