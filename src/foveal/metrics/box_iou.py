"""How much two boxes have in common.

Source: Jaccard, 1901; for crowds Lin et al., "Microsoft COCO", ECCV 2014: what lies in a crowd is a part of
it, so the area that is common is divided by that of what was found alone.
"""

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.floating]


def box_iou(found: Boxes, truth: Boxes, *, crowd: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Return intersection over union of each pair of boxes, float64 (D, M) in [0, 1].

    A box whose right or bottom is not beyond its left or top has no area and nothing in common with others.

    Args:
        found: Left, top, right, bottom, (D, 4).
        truth: Alike, (M, 4).
        crowd: For which of `truth` the intersection is divided by the area of `found`, bool (M,); None: none.
    """
    one, other = found.astype(np.float64)[:, None], truth.astype(np.float64)[None]
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    common = np.maximum(sides, 0).prod(axis=-1)
    own, others = _area(one), _area(other)
    whole = own + others - common
    return shared(common, whole if crowd is None else np.where(crowd, own, whole))


def shared(common: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return common / whole, 0 where nothing is common."""
    return np.divide(common, whole, out=np.zeros(common.shape), where=common > 0)


def _area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    area: NDArray[np.float64] = np.maximum(boxes[..., 2:] - boxes[..., :2], 0).prod(axis=-1)
    return area
