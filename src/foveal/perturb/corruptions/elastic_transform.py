"""The thing is bent."""

import numpy as np

from foveal.perturb.corruptions._filter import blurred, gaussian
from foveal.perturb.corruptions._levels import length, side
from foveal.perturb.corruptions._pixels import Floats, piecewise, to_bytes
from foveal.perturb.corruptions._severity import UInt8, check
from foveal.perturb.corruptions._warp import warped

GROUP = "digital"
# In pixels: how far the corners of the middle are moved at most, the root mean square of the waves, and
# their smoothness.
SMALL_CORNERS, LARGE_CORNERS = (0.9, 1.2, 1.5, 1.9, 2.4), (4.0, 5.0, 6.0, 7.0, 8.0)
SMALL_WAVES, LARGE_WAVES = (0.10, 0.20, 0.30, 0.42, 0.54), (0.60, 0.81, 1.10, 1.50, 1.95)
SMALL_SMOOTH, LARGE_SMOOTH = (1.3, 1.3, 1.3, 1.3, 1.3), (2.44, 2.44, 2.44, 2.44, 2.44)


def elastic_transform(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the images under a random affine map and random waves; edges mirror.

    The published levels are not ordered: their first ones bend widely and smoothly, their last ones finely,
    and change less. Ours lie in the same range and grow.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Where the bends come from.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    size = side(images)
    corners = length(SMALL_CORNERS, LARGE_CORNERS, severity=severity, side=size)
    waves = length(SMALL_WAVES, LARGE_WAVES, severity=severity, side=size)
    kernel = gaussian(length(SMALL_SMOOTH, LARGE_SMOOTH, severity=severity, side=size))
    shares = kernel / kernel.sum()
    gain = np.float32(waves * 3**0.5 / (shares**2).sum())  # uniform ±1 has deviation 1/√3 before the blur
    height, width = images.shape[1:3]

    def change(some: UInt8) -> UInt8:
        drawn = rng.random((len(some), 6 + 2 * height * width), dtype=np.float32) * 2 - 1
        field = drawn[:, 6:].reshape(-1, 2, height, width).transpose(0, 2, 3, 1)
        field = blurred(np.ascontiguousarray(field), kernel) * gain
        rows, columns = _affine(drawn[:, :6] * np.float32(corners), height, width)
        return to_bytes(warped(some, rows + field[..., 0], columns + field[..., 1]))

    return piecewise(images, change)


def _affine(moves: Floats, height: int, width: int) -> tuple[Floats, Floats]:
    """Return rows and columns (N, H, W) under the affine map that moves three corners of the middle third.

    Args:
        moves: By how many pixels, down and across, of the corners at (+, +), (+, −) and (−, −), (N, 6).
        height: H.
        width: W.
    """
    arm = np.float32(max(1, min(height, width) // 3))
    down = (np.arange(height, dtype=np.float32) - np.float32((height - 1) / 2))[:, None]
    across = np.arange(width, dtype=np.float32) - np.float32((width - 1) / 2)
    first, second, third = (moves[:, None, None, pair : pair + 2] for pair in (0, 2, 4))
    by_row, by_column = (second - third) / (2 * arm), (first - second) / (2 * arm)
    shift = (first + third) / 2
    moved = by_row * down[..., None] + by_column * across[:, None] + shift
    rows = moved[..., 0] + np.arange(height, dtype=np.float32)[:, None]
    columns = moved[..., 1] + np.arange(width, dtype=np.float32)
    return rows.astype(np.float32, copy=False), columns.astype(np.float32, copy=False)
