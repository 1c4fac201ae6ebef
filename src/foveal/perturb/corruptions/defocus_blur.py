"""Out of focus: each point becomes a disk."""

import math

import numpy as np
from numpy.typing import NDArray

from foveal.perturb.corruptions._filter import convolved, gaussian, whole
from foveal.perturb.corruptions._levels import length, side
from foveal.perturb.corruptions._pixels import piecewise, to_bytes
from foveal.perturb.corruptions._severity import UInt8, check

GROUP = "blur"
# Radius of the disk and standard deviation of the softness of its edge, in pixels.
SMALL_RADIUS, SMALL_EDGE = (0.3, 0.4, 0.5, 1.0, 1.5), (0.4, 0.5, 0.6, 0.2, 0.1)
LARGE_RADIUS, LARGE_EDGE = (3.0, 4.0, 6.0, 8.0, 10.0), (0.1, 0.5, 0.5, 0.5, 0.5)
_FINE = 9  # points per side of a pixel, in measuring how much of it the disk covers


def defocus_blur(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the images convolved with a disk that has a soft edge; edges mirror.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Not used; nothing here is random.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    size = side(images)
    radius = length(SMALL_RADIUS, LARGE_RADIUS, severity=severity, side=size)
    edge = length(SMALL_EDGE, LARGE_EDGE, severity=severity, side=size)
    kernel = _disk(radius, edge)
    return piecewise(images, lambda some: to_bytes(convolved(some, kernel)))


def _disk(radius: float, edge: float) -> NDArray[np.float64]:
    """Return how much of each pixel the disk covers, softened, in whole parts."""
    soft = gaussian(edge, reach=max(1, math.ceil(2 * edge)))
    reach = math.ceil(radius) + len(soft) // 2
    points = (np.arange((2 * reach + 1) * _FINE) + 0.5) / _FINE - (reach + 0.5)
    inside = points[:, None] ** 2 + points**2 <= radius**2
    covered = inside.reshape(2 * reach + 1, _FINE, 2 * reach + 1, _FINE).sum(axis=(1, 3)).astype(np.float64)
    for _ in range(2):
        covered = np.apply_along_axis(np.convolve, 0, covered, soft, mode="same").T
    return whole(covered)
