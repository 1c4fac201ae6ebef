"""Fog, thicker here and thinner there."""

import numpy as np

from foveal.perturb.corruptions._levels import between, side
from foveal.perturb.corruptions._pixels import Floats, piecewise, to_bytes
from foveal.perturb.corruptions._severity import UInt8, check

GROUP = "weather"
# Thickness in units of white, and how fast finer detail fades.
SMALL_THICK, SMALL_DECAY = (0.2, 0.5, 0.75, 1.0, 1.5), (3.0, 3.0, 2.5, 2.0, 1.75)
LARGE_THICK, LARGE_DECAY = (1.5, 2.0, 2.5, 2.5, 3.0), (2.0, 2.0, 1.7, 1.5, 1.4)


def fog(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the images behind a cloud that keeps each one's largest value.

    (x + thickness · cloud) · m / (m + thickness), where m is the largest value of the picture.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Where the clouds come from.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    size = side(images)
    thick = np.float32(255 * between(SMALL_THICK, LARGE_THICK, severity=severity, side=size))
    decay = between(SMALL_DECAY, LARGE_DECAY, severity=severity, side=size)
    height, width = images.shape[1:3]

    def change(some: UInt8) -> UInt8:
        clouds = _clouds(len(some), max(size, height, width), decay, rng)[:, :height, :width, None]
        most = some.max(axis=(1, 2, 3), keepdims=True).astype(np.float32)
        return to_bytes((some + thick * clouds) * (most / (most + thick)))

    return piecewise(images, change) if height and width else images.copy()


def _clouds(count: int, side: int, decay: float, rng: np.random.Generator) -> Floats:
    """Return plasma fractals in 0..1, (N, S, S) with S the next power of two.

    Diamond-square on a torus: Fournier, Fussell & Carpenter, "Computer rendering of stochastic models",
    1982. From one scale to the next, which is half as long, the random part falls by decay².
    """
    step = size = 1 << (side - 1).bit_length()
    drawn = rng.random((count, size * size), dtype=np.float32) * 2 - 1
    cloud, used, height = np.zeros((count, size, size), dtype=np.float32), 0, 1.0
    while step > 1:
        half, places = step // 2, (size // step) ** 2
        shape = (count, size // step, size // step)
        random = [
            drawn[:, used + part * places :][:, :places].reshape(shape) * np.float32(height)
            for part in range(3)
        ]
        corners = cloud[:, ::step, ::step]
        below, right = np.roll(corners, -1, axis=1), np.roll(corners, -1, axis=2)
        middles = (corners + below + right + np.roll(below, -1, axis=2)) * np.float32(0.25) + random[0]
        cloud[:, half::step, half::step] = middles
        cloud[:, ::step, half::step] = (corners + right + middles + np.roll(middles, 1, axis=1)) * np.float32(
            0.25
        ) + random[1]
        cloud[:, half::step, ::step] = (corners + below + middles + np.roll(middles, 1, axis=2)) * np.float32(
            0.25
        ) + random[2]
        used, step, height = used + 3 * places, half, height / decay**2
    cloud -= cloud.min(axis=(1, 2), keepdims=True)
    cloud /= cloud.max(axis=(1, 2), keepdims=True)
    return cloud
