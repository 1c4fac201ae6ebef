"""Does the exported file find what the trained detector finds? Asked of real pictures."""

import numpy as np
from numpy.typing import NDArray

from foveal.export.parity import CLEAR_MARGIN, Parity
from foveal.metrics.box_iou import box_iou
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks.detect.decode import ObjectAnswers

_SAME = 0.95  # intersection over union of two boxes that are the same but for rounding


def compare_objects(
    reference: ObjectAnswers, exported: ObjectAnswers, thresholds: NDArray[np.float32]
) -> Parity:
    """Compare what was found on the same pictures, N ≥ 1.

    Args:
        reference: By the trained network in float32.
        exported: By the file that ships.
        thresholds: For each class the score from which on an answer is an object, (classes,).

    Returns:
        `max_abs_difference` is that of the scores in order; a flip is an object that only one of both finds,
        and a clear one is further from its threshold than rounding explains.
    """
    objects = flips = clear = 0
    for row in range(len(reference.scores)):
        pair = reference.at(row), exported.at(row)
        shown = [side.scores >= thresholds[side.labels] for side in pair]
        for own, other, seen in ((0, 1, shown[0]), (1, 0, shown[1])):
            lonely = seen & ~_again(pair[own], pair[other], seen)
            margin = np.abs(pair[own].scores - thresholds[pair[own].labels])
            flips += int(lonely.sum())
            clear += int((lonely & (margin > CLEAR_MARGIN)).sum())
        objects += int(shown[0].sum() + shown[1].sum())
    return Parity(
        max_abs_difference=float(np.abs(reference.scores.astype(np.float64) - exported.scores).max()),
        decision_flips=clopper_pearson(flips, max(1, objects)),
        clear_flips=clear,
        images=len(reference.scores),
    )


def _again(own: ObjectAnswers, other: ObjectAnswers, seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which of the answers that are seen the other side has, too, whatever its threshold says."""
    found = np.zeros(len(seen), np.bool_)
    near = box_iou(own.boxes[seen], other.boxes) >= _SAME
    near &= own.labels[seen][:, None] == other.labels[None]
    near &= np.abs(own.scores[seen][:, None] - other.scores[None]) <= 2 * CLEAR_MARGIN
    found[seen] = near.any(axis=1)
    return found
