"""A level for any size, between those of CIFAR-10-C (32 pixels) and of ImageNet-C (224 pixels)."""

import math

from foveal.perturb.corruptions._severity import UInt8, at

SMALL, LARGE = 32, 224  # sides that the published levels are for
Levels = tuple[float, float, float, float, float]


def side(images: UInt8) -> int:
    """Return the shorter side of images (N, H, W, C) in pixels; at least 32.

    A smaller picture is treated as one of 32 pixels, or a blur would shrink to a single pixel.
    """
    shorter: int = min(images.shape[1:3])
    return max(SMALL, shorter)


def between(small: Levels, large: Levels, *, severity: int, side: int) -> float:
    """Return a level that has no unit of length.

    It moves in a straight line from `small` to `large` over the logarithm of the side, and stays there
    beyond both ends.

    Raises:
        UsageError: The severity is not 1 to 5.
    """
    share = (math.log(side) - math.log(SMALL)) / (math.log(LARGE) - math.log(SMALL))
    share = min(1.0, max(0.0, share))
    return (1 - share) * at(small, severity) + share * at(large, severity)


def length(small: Levels, large: Levels, *, severity: int, side: int) -> float:
    """Return a length in pixels; `small` are pixels of 32, `large` of 224.

    As a share of the side it moves like `between`: the same lens error at any size of the input.

    Raises:
        UsageError: The severity is not 1 to 5.
    """
    share = between(_shares(small, SMALL), _shares(large, LARGE), severity=severity, side=side)
    return share * side


def _shares(levels: Levels, side: int) -> Levels:
    first, second, third, fourth, fifth = (level / side for level in levels)
    return first, second, third, fourth, fifth
