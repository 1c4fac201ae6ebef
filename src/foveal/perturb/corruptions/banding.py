"""Lines of the sensor that read differently, and lamps that flicker while it reads."""

import numpy as np

from foveal.perturb.corruptions._pixels import to_bytes
from foveal.perturb.corruptions._severity import UInt8, at, check

GROUP = "sensor"
LINES = (0.015, 0.025, 0.04, 0.06, 0.09)  # standard deviation from line to line, on the 0..1 scale
FLICKER = (0.03, 0.05, 0.08, 0.12, 0.18)  # change of the gain by the lamps, up and down
_FEWEST, _MOST = 1.5, 5.0  # waves of light from edge to edge


def banding(images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return the images with an offset for each line and a wave of light across the lines.

    The lines of one half of the pictures are rows, of the other columns.

    Args:
        images: uint8 (N, H, W, C).
        severity: 1 to 5.
        rng: Direction, offsets and waves.

    Raises:
        UsageError: Another array or severity.
    """
    check(images)
    lines, flicker = np.float32(255 * at(LINES, severity)), at(FLICKER, severity)
    result = np.empty_like(images)
    for number, image in enumerate(images):
        upright, waves, phase = rng.random(3)
        axis = 1 if upright < 0.5 else 0
        length = image.shape[axis]
        offsets = lines * rng.standard_normal(length, dtype=np.float32)
        turns = (_FEWEST + (_MOST - _FEWEST) * waves) * np.arange(length) / length + phase
        gain = (1 + flicker * np.sin(2 * np.pi * turns)).astype(np.float32)
        shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
        result[number] = to_bytes(image * gain.reshape(shape) + offsets.reshape(shape))
    return result
