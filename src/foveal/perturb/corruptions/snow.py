"""It snows."""

import math

import numpy as np
from numpy.typing import NDArray

from foveal.perturb.corruptions._levels import between, length, side
from foveal.perturb.corruptions._line import traced
from foveal.perturb.corruptions._pixels import Floats, grey, to_bytes
from foveal.perturb.corruptions._severity import UInt8, check

GROUP = "weather"
# Mean and deviation of the normal field whose values above the threshold are flakes (0..1), the size of a
# flake in pixels, reach and deviation of its fall in pixels, and how much of the picture is not bleached.
SMALL_MEAN, LARGE_MEAN = (0.1, 0.1, 0.15, 0.25, 0.3), (0.1, 0.2, 0.55, 0.55, 0.55)
SMALL_DEVIATION, LARGE_DEVIATION = (0.2, 0.2, 0.3, 0.3, 0.3), (0.3, 0.3, 0.3, 0.3, 0.3)
SMALL_THRESHOLD, LARGE_THRESHOLD = (0.6, 0.5, 0.55, 0.6, 0.65), (0.5, 0.5, 0.9, 0.85, 0.85)
SMALL_FLAKE, LARGE_FLAKE = (1.0, 1.0, 1.75, 2.25, 1.25), (3.0, 2.0, 4.0, 4.5, 2.5)
SMALL_REACH, LARGE_REACH = (16.0, 20.0, 20.0, 24.0, 28.0), (20.0, 24.0, 24.0, 24.0, 24.0)
SMALL_FALL, LARGE_FALL = (3.0, 4.0, 4.0, 6.0, 12.0), (4.0, 4.0, 8.0, 8.0, 12.0)
SMALL_KEPT, LARGE_KEPT = (0.95, 0.9, 0.9, 0.85, 0.8), (0.8, 0.7, 0.7, 0.65, 0.55)


def snow(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the images bleached a little, with flakes that fall at least 45° steep.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Where the flakes are, and how they fall.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    size = side(images)
    mean = between(SMALL_MEAN, LARGE_MEAN, severity=severity, side=size)
    deviation = between(SMALL_DEVIATION, LARGE_DEVIATION, severity=severity, side=size)
    threshold = between(SMALL_THRESHOLD, LARGE_THRESHOLD, severity=severity, side=size)
    flake = length(SMALL_FLAKE, LARGE_FLAKE, severity=severity, side=size)
    reach = round(length(SMALL_REACH, LARGE_REACH, severity=severity, side=size))
    fall = length(SMALL_FALL, LARGE_FALL, severity=severity, side=size)
    kept = np.float32(between(SMALL_KEPT, LARGE_KEPT, severity=severity, side=size))

    height, width = images.shape[1:3]
    result = np.empty_like(images)
    for number in range(len(images)):
        field = _field(height, width, flake, rng) * np.float32(deviation) + np.float32(mean)
        field[field < threshold] = 0
        angle = rng.uniform(-3 * math.pi / 4, -math.pi / 4)
        flakes = traced(field.clip(0, 1)[..., None] * 255, reach=reach, sigma=fall, angle=angle)
        image = images[number : number + 1]
        bleached = np.maximum(image, grey(image) * np.float32(1.5) + np.float32(127.5))
        result[number] = to_bytes((image * kept + bleached * (1 - kept))[0] + flakes + flakes[::-1, ::-1])
    return result


def _field(height: int, width: int, flake: float, rng: np.random.Generator) -> Floats:
    """Return standard normal values (H, W), one every `flake` pixels and straight lines between them."""
    shape = math.ceil(height / flake) + 1, math.ceil(width / flake) + 1
    coarse = rng.standard_normal(shape, dtype=np.float32)
    if flake <= 1:
        return coarse[:height, :width]
    rows = _between(coarse, np.arange(height) / flake)
    return np.ascontiguousarray(_between(np.ascontiguousarray(rows.T), np.arange(width) / flake).T)


def _between(values: Floats, places: NDArray[np.float64]) -> Floats:
    """Return rows of `values` at fractional places."""
    first = places.astype(np.int64)
    share = (places - first).astype(np.float32)[:, None]
    return values[first] + (values[first + 1] - values[first]) * share
