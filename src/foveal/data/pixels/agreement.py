"""How well two pictures of one size agree: correlation, and by how many pixels one lies beside the other.

As `quality`, it looks at 32 to 63 rows and columns of a large picture: a check that costs less than a
millisecond, not a registration.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.data.dataset import UInt8
from foveal.data.pixels.quality import LINES, grey_sum

_FARTHEST = 8  # pixels; what is further off does not correlate
_FLAT = 1e-6

Float32 = NDArray[np.float32]


def agreement(one: UInt8, other: UInt8) -> dict[str, float]:
    """Return how well two pictures agree.

    - correlation: of their levels, -1 to 1; 0 where one of them has a single level.
    - shift: by how many pixels the other lies beside the first, 0 to 11.3: the length of the shift for
      which rows and columns differ least. At most 8 each way are tried, or an eighth of the side.

    Args:
        one: uint8 (H, W, C), H and W ≥ 8.
        other: Of the same shape.
    """
    rows = [grey_sum(image[:: max(1, len(image) // LINES)]) for image in (one, other)]
    step = max(1, one.shape[1] // LINES)
    columns = [np.ascontiguousarray(grey_sum(image[:, ::step]).T) for image in (one, other)]
    first, second = (
        _standard(np.concatenate([lines.ravel(), more.ravel()]))
        for lines, more in zip(rows, columns, strict=True)
    )
    return {
        "correlation": float(np.mean(first * second, dtype=np.float64)),
        "shift": float(np.hypot(_offset(*rows), _offset(*columns))),
    }


def _standard(levels: Float32) -> Float32:
    """Return levels with mean 0 and deviation 1; all 0 where they are all the same."""
    spread = float(levels.std())
    centred: Float32 = levels - levels.mean()
    return centred / np.float32(spread) if spread > _FLAT else centred * np.float32(0)


def _offset(one: Float32, other: Float32) -> float:
    """Return by how many columns (H, W) lies beside another: the vertex of a parabola through the least."""
    farthest: int = min(_FARTHEST, one.shape[1] // 8)
    one, other = _standard(one), _standard(other)
    width = one.shape[1] - 2 * farthest
    middle = one[:, farthest : farthest + width]
    errors: list[float] = [
        float(np.square(other[:, at : at + width] - middle).mean()) for at in range(2 * farthest + 1)
    ]
    if max(errors) - min(errors) < _FLAT:
        return 0.0
    best = errors.index(min(errors))
    if best in (0, 2 * farthest):
        return float(best - farthest)
    before, least, after = errors[best - 1 : best + 2]
    bend = before - 2 * least + after
    within: float = (before - after) / bend / 2 if bend > _FLAT else 0.0
    return best - farthest + within
