"""From bytes to numbers and back, a few pictures at a time."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from foveal.perturb.corruptions._severity import UInt8

Floats = NDArray[np.float32]
_AT_ONCE = 2**16  # pixels: what is made of them stays in the processor's cache


def to_bytes(values: Floats) -> UInt8:
    """Return the nearest bytes; values beyond 0 and 255 stop there. `values` is overwritten."""
    np.rint(values, out=values)
    np.clip(values, 0, 255, out=values)
    return values.astype(np.uint8)


def piecewise(images: UInt8, change: Callable[[UInt8], UInt8], *, most: int = _AT_ONCE) -> UInt8:
    """Return `change` of all images (N, H, W, C), asked for a few, at most `most`, at a time and in order."""
    step = max(1, min(most, _AT_ONCE // max(1, images.shape[1] * images.shape[2])))
    result = np.empty_like(images)
    for start in range(0, len(images), step):
        result[start : start + step] = change(images[start : start + step])
    return result


def grey(images: UInt8) -> Floats:
    """Return the luminance (N, H, W, 1): Rec. 601 for three channels, the mean of any other number."""
    channels = images.shape[3]
    weights = (0.299, 0.587, 0.114) if channels == 3 else (1 / channels,) * channels
    total = np.zeros((*images.shape[:3], 1), dtype=np.float32)
    for channel, weight in enumerate(weights):
        total[..., 0] += np.float32(weight) * images[..., channel]
    return total
