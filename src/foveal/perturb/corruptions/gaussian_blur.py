"""Out of focus."""

import math

import numpy as np
from numpy.typing import NDArray

from foveal.perturb.corruptions._severity import UInt8, at, check

# Standard deviation as a share of the shorter side: the same lens error at any size of the model's input.
SIGMA = (0.012, 0.017, 0.022, 0.028, 0.036)
_SMALLEST_SIDE = 32  # below this the kernel would shrink to a single pixel


def gaussian_blur(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the images convolved with a Gaussian that reaches three standard deviations; edges mirror.

    Args:
        images: uint8 (N, H, W, C), H and W ≥ 1.
        severity: 1 to 5.
        rng: Not used; nothing here is random.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    sigma = at(SIGMA, severity) * max(min(images.shape[1:3]), _SMALLEST_SIDE)
    reach = math.ceil(3 * sigma)
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    kernel /= kernel.sum()
    blurred = _along(_along(images.astype(np.float32), kernel, axis=1), kernel, axis=2)
    return blurred.round().clip(0, 255).astype(np.uint8)


def _along(images: NDArray[np.float32], kernel: NDArray[np.float64], *, axis: int) -> NDArray[np.float32]:
    reach, length = len(kernel) // 2, images.shape[axis]
    margins = [(0, 0)] * images.ndim
    margins[axis] = (reach, reach)
    padded = np.pad(images, margins, mode="symmetric")
    total = np.zeros_like(images)
    for start, weight in enumerate(kernel.astype(np.float32)):
        total += weight * padded.take(range(start, start + length), axis=axis)
    return total
