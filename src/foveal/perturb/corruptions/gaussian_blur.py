"""Out of focus."""

import numpy as np

from foveal.perturb.corruptions._filter import blurred, gaussian
from foveal.perturb.corruptions._levels import side
from foveal.perturb.corruptions._pixels import piecewise, to_bytes
from foveal.perturb.corruptions._severity import UInt8, at, check

GROUP = "blur"
# Standard deviation as a share of the shorter side: the same lens error at any size of the model's input.
SIGMA = (0.012, 0.017, 0.022, 0.028, 0.036)


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
    sigma = at(SIGMA, severity) * side(images)
    return piecewise(images, lambda some: to_bytes(blurred(some, gaussian(sigma))))
