"""Does the exported file find what the trained detector finds? Asked of real pictures."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.export.parity import CLEAR_MARGIN, Parity
from foveal.metrics.box_iou import box_iou
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks.detect.decode import ObjectAnswers
from foveal.tasks.detect.masks import INSIDE

_SAME = 0.95  # intersection over union of two boxes that are the same but for rounding
_DOUBLE = 0.5  # of two that mean one object; where both have one score, rounding decides which one stays
_FEW = 2  # places of a mask that rounding may move in or out of it, however small it is
_TIES = 1000  # objects, of which one may be dropped as a double or not by the last bit of an overlap
_UNKNOWN = Measured(0.0, 0.0, 1.0, 0, "clopper-pearson")  # nothing found by either: none compared
_NEAR = 0.01  # two scores that are further apart are not of one answer


def compare_objects(
    pairs: Iterable[tuple[ObjectAnswers, ObjectAnswers]], thresholds: NDArray[np.float32]
) -> Parity:
    """Compare what was found on the same pictures.

    Args:
        pairs: Batch by batch what the trained network finds in float32, and what the file does that ships.
        thresholds: For each class the score from which on an answer is an object, (classes,).

    Returns:
        `max_abs_difference` is that of the scores of objects that both find; a flip is an object that only
        one of both finds, or with another mask, and a clear one is further from its threshold than rounding
        explains. Answers below the thresholds play no part: of many with one score rounding decides which are
        given out.
    """
    images = objects = flips = clear = 0
    furthest = 0.0
    for reference, exported in pairs:
        images += len(reference.scores)
        for row in range(len(reference.scores)):
            pair = reference.at(row), exported.at(row)
            for own, other in (pair, pair[::-1]):
                limits = thresholds[own.labels]
                seen = np.flatnonzero((own.scores >= limits) & (own.scores > 0))
                apart = _apart(own.at(seen), other)
                lonely = apart > _NEAR
                furthest = max(furthest, float(apart[~lonely].max(initial=0.0)))
                flips += int(lonely.sum())
                clear += int((lonely & (own.scores[seen] - limits[seen] > CLEAR_MARGIN)).sum())
                objects += len(seen)
    return Parity(
        max_abs_difference=furthest,
        decision_flips=clopper_pearson(flips, objects) if objects else _UNKNOWN,
        clear_flips=clear,
        images=images,
        unit="objects",
        borne=objects // _TIES,
    )


def _apart(own: ObjectAnswers, other: ObjectAnswers) -> NDArray[np.float64]:
    """Return how far the score of each answer is from that of its like on the other side, if it has one.

    What is told beside the class counts as the score does.
    """
    near = box_iou(own.boxes, other.boxes)
    mine = own.labels[:, None] == other.labels[None]
    apart = np.abs(own.scores[:, None].astype(np.float64) - other.scores[None])
    if own.attributes is not None and other.attributes is not None:
        said = np.abs(own.attributes[:, None].astype(np.float64) - other.attributes[None])
        apart = np.maximum(apart, said.max(axis=2, initial=0.0))
    like = mine & (near >= _SAME)
    if own.masks is not None and other.masks is not None:
        for row, column in np.argwhere(like).tolist():
            like[row, column] = _alike(own.masks[row], other.masks[column])
    like |= mine & (near >= _DOUBLE) & (apart <= CLEAR_MARGIN)
    nearest: NDArray[np.float64] = np.where(like, apart, np.inf).min(axis=1, initial=np.inf)
    return nearest


def _alike(own: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Return whether two masks (h, w) cover the same places, but for a few at the edge."""
    inside, beside = own >= INSIDE, other >= INSIDE
    return int((inside != beside).sum()) <= max(_FEW, (1 - _SAME) * int((inside | beside).sum()))
