"""Properties of a picture that tell of a changed camera, light or way of storing; quick to take.

They are taken of the picture at model size, as the recognizer sees it. Of a large one 32 to 63 rows
and columns are looked at: enough for a mean, and always the same ones.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.data.dataset import UInt8

LINES = 32
_BLOCK = 8  # side of the squares that JPEG stores


def quality(image: UInt8) -> dict[str, float]:
    """Return the properties of a picture by name, those of `tasks.classify.reference.PROPERTIES`.

    - brightness: mean level, 0 to 255; contrast: standard deviation of the levels.
    - sharpness: mean absolute second difference between neighbours, over both directions: falls with blur
      and strong compression, rises with noise.
    - clipping: share of values that are 0 or 255, where the sensor or the exposure lost something.
    - blockiness: steps between columns at multiples of 8 over those elsewhere, about 1: rises with JPEG
      compression of pictures that come at model size, not of those that are resized.

    Args:
        image: uint8 (H, W, C), H and W ≥ 8.
    """
    rows = image[:: max(1, len(image) // LINES)]
    level, other = grey_sum(rows), grey_sum(image[:, :: max(1, image.shape[1] // LINES)])
    across, down = level[:, 1:] - level[:, :-1], other[1:] - other[:-1]
    bends = np.abs(across[:, 1:] - across[:, :-1]).mean() + np.abs(down[1:] - down[:-1]).mean()
    lost = np.count_nonzero(rows == 0) + np.count_nonzero(rows == 255)
    channels = image.shape[2]
    return {
        "brightness": float(level.mean()) / channels,
        "contrast": float(level.std()) / channels,
        "sharpness": float(bends) / 2 / channels,
        "clipping": lost / rows.size,
        "blockiness": _blockiness(np.abs(across).mean(axis=0) / channels),
    }


def exposure(image: UInt8) -> dict[str, float]:
    """Return two properties that depend little on what is shown, for limits rather than for a monitor.

    - light: the level that 1 % of the picture is above, 0 to 255: falls with the light, however much of the
      picture is dark by itself.
    - crispness: mean absolute second difference over mean absolute first difference, one level added to that
      for noise: up to 2 where edges are one pixel wide, and less the wider they are, however many there are
      and however strong.

    Args:
        image: uint8 (H, W, C), H and W ≥ 8.
    """
    level = grey_sum(image[:: max(1, len(image) // LINES)])
    other = grey_sum(image[:, :: max(1, image.shape[1] // LINES)])
    across, down = level[:, 1:] - level[:, :-1], other[1:] - other[:-1]
    bends = np.abs(across[:, 1:] - across[:, :-1]).mean() + np.abs(down[1:] - down[:-1]).mean()
    steps = np.abs(across).mean() + np.abs(down).mean()
    channels, values = image.shape[2], level.ravel()
    lightest = values.size - 1 - values.size // 100
    return {
        "light": float(np.partition(values, lightest)[lightest]) / channels,
        "crispness": float(bends / (steps + 2 * channels)),
    }


def grey_sum(lines: UInt8) -> NDArray[np.float32]:
    """Return the sum over the channels, (H, W); a loop over them is faster than a sum along the last axis."""
    total = lines[..., 0].astype(np.float32)
    for channel in range(1, lines.shape[2]):
        total += lines[..., channel]
    return total


def _blockiness(steps: NDArray[np.float32]) -> float:
    """Return the ratio for mean steps from column x to x + 1, (W - 1,); half a level allows for noise."""
    borders = steps[_BLOCK - 1 :: _BLOCK]
    if len(borders) == 0:
        return 1.0
    elsewhere = (steps.sum() - borders.sum()) / (len(steps) - len(borders))
    return float((borders.mean() + 0.5) / (elsewhere + 0.5))
