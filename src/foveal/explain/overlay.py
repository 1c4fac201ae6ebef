"""A map drawn over its picture, so that it can be read on any picture and by any eye.

The picture is shown in grey: whatever has a colour is the map. The colours run from dark violet over red to
light yellow with equal steps of lightness, so they are in order for colour-blind readers and in print, too.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.data.dataset import UInt8
from foveal.explain import grid

_SMALLEST_SIDE = 192  # pixels; smaller pictures are enlarged, or a map could not be seen on them
_GREY = (0.12, 0.72)  # lightness of the darkest and the brightest place of the picture
_LIGHTNESS = (0.30, 0.92)  # of the ramp, in OKLab: linear, so that equal steps look equal
_HUE = (300.0, 460.0)  # degrees in OKLab: violet, red, yellow
_CHROMA = 0.13
_VEIL = 0.85  # how much of the picture the strongest colour covers
_SOONER = 0.75  # exponent below 1: middling values are seen on bright pictures, too
_RAMP = 256
_LUMA = (0.299, 0.587, 0.114)


def overlay(image: UInt8, heatmap: NDArray[np.floating]) -> UInt8:
    """Return a picture with a map over it, uint8 (side, side, 3); side is at least 192.

    What speaks for the class is coloured, in proportion to the largest value of the map; what does not, or
    speaks against it, stays grey.

    Args:
        image: uint8 (size, size, channels).
        heatmap: (h, w).
    """
    side = len(image) * max(1, -(-_SMALLEST_SIDE // len(image)))
    times = side // len(image)
    grey = np.repeat(np.repeat(_grey(image), times, axis=0), times, axis=1)[..., None]
    enlarged = grid.enlarged(heatmap, side, side)
    veil = _VEIL * shares(enlarged)[..., None] ** _SOONER
    mixed = grey * (1 - veil) + colours(enlarged) / 255 * veil
    return np.asarray((mixed * 255).round().clip(0, 255).astype(np.uint8))


def shares(heatmap: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return a map in shares of its largest value, 0 where it is not above 0."""
    positive = np.maximum(heatmap.astype(np.float64), 0)
    largest = positive.max(initial=0)
    return positive / largest if largest > 0 else positive


def colours(heatmap: NDArray[np.floating]) -> UInt8:
    """Return a map in the colours of the ramp, in proportion to its largest value, uint8 (h, w, 3)."""
    return np.asarray(ramp()[(shares(heatmap) * (_RAMP - 1)).round().astype(np.int64)])


def ramp() -> UInt8:
    """Return the colours from nothing to most, uint8 (256, 3).

    Source of the colour space: Ottosson, "A perceptual color space for image processing", 2020 (OKLab).
    """
    at = np.linspace(0, 1, _RAMP)
    lightness = _LIGHTNESS[0] + at * (_LIGHTNESS[1] - _LIGHTNESS[0])
    angle = np.radians(_HUE[0] + at * (_HUE[1] - _HUE[0]))
    a, b = _CHROMA * np.cos(angle), _CHROMA * np.sin(angle)
    cones = np.stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ],
    )
    to_linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = (to_linear @ cones**3).T.clip(0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray((curved * 255).round().astype(np.uint8))


def _grey(image: UInt8) -> NDArray[np.float64]:
    wide = image.astype(np.float64) / 255
    grey = wide[..., :3] @ np.array(_LUMA) if image.shape[2] >= 3 else wide[..., 0]
    low, high = _GREY
    return np.asarray(low + grey * (high - low))
