"""What moves leaves a trace: weights along a line."""

import math

import numpy as np

from foveal.perturb.corruptions._filter import mirrored, whole
from foveal.perturb.corruptions._pixels import Floats
from foveal.perturb.corruptions._severity import UInt8


def traced(image: UInt8 | Floats, *, reach: int, sigma: float, angle: float) -> Floats:
    """Return one picture smeared along a line to one side.

    The i-th pixel of the trace has the weight exp(−i² / 2σ²) and lies at the nearest whole pixel, as in
    ImageMagick's MotionBlurImage, which ImageNet-C is made with.

    Args:
        image: (H, W, C).
        reach: Pixels of the trace besides its start; fewer where their weight would be next to nothing.
        sigma: Standard deviation in pixels.
        angle: Of the line, in radians, upwards from the right.
    """
    steps = np.arange(min(reach, math.ceil(3.5 * sigma)) + 1)
    weights = whole(np.exp(-(steps**2) / (2 * sigma**2))) / 2**15
    height, width = image.shape[:2]
    moves = [(round(-step * math.sin(angle)), round(step * math.cos(angle))) for step in steps]
    down, across = (max(abs(move[axis]) for move in moves) for axis in (0, 1))
    padded = mirrored(image[None], down, across)[0]
    total = np.zeros(image.shape, dtype=np.float32)
    for (row, column), weight in zip(moves, weights, strict=True):
        top, left = down + row, across + column
        total += padded[top : top + height, left : left + width] * np.float32(weight)
    return total
