"""Which object that was found is which one that is there: pairs, by the matching of COCO at one limit."""

import numpy as np
from numpy.typing import NDArray

from foveal.metrics._found import Found, Truth
from foveal.metrics.box_iou import box_iou


def pairs(found: Found, truth: Truth, *, iou: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows of what was found and of what is there that belong together, int64 (M,) each.

    Within a class, what was found takes, the surest first, of the objects that are still free the one that it
    overlaps most, if that is at least the limit. Ignored objects belong to nothing.

    Args:
        found: On one picture.
        truth: What is there.
        iou: The limit, in (0, 1].
    """
    overlap = box_iou(found.boxes, truth.boxes)
    overlap = np.where(found.labels[:, None] == truth.labels[None], overlap, 0.0)
    overlap[:, truth.ignored] = 0.0
    rows, places = [], []
    for row in np.argsort(-found.scores, kind="stable").tolist():
        if overlap.shape[1] and overlap[row].max() >= iou:
            place = int(overlap[row].argmax())
            overlap[:, place] = 0.0
            rows.append(row)
            places.append(place)
    return np.array(rows, np.int64), np.array(places, np.int64)
