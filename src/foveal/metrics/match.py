"""Which of the objects that were found are there: the matching behind every number of detection.

Source: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, and the evaluation that goes with
it, whose rules are followed to the last tie. Within a picture and a class, what was found takes, the surest
first, of the objects that are still free the one that it overlaps most (the last one in a tie), if that is at
least the limit; else an object that is to be ignored, which any number may take.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.metrics._found import Found, Truth, some
from foveal.metrics.box_iou import box_iou
from foveal.metrics.mask_iou import mask_iou

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
COCO_IOUS = tuple(float(x) for x in np.linspace(0.5, 0.95, 10))


@dataclass(frozen=True, eq=False)
class Matches:
    """What became of everything that was found, the surest first, over all pictures.

    Attributes:
        ious: Limits of the overlap, float64 (T,).
        scores: Falling, float64 (D,).
        labels: Classes, int64 (D,).
        images: On which picture each was found, int64 (D,).
        right: Whether it is an object that is there, bool (T, D).
        ignored: Whether it counts neither as right nor as wrong, bool (T, D).
        truths: Objects to be found on each picture, of each class, int64 (N, K).
    """

    ious: Floats
    scores: Floats = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    images: NDArray[np.int64] = field(repr=False)
    right: Bools = field(repr=False)
    ignored: Bools = field(repr=False)
    truths: NDArray[np.int64] = field(repr=False)

    def at(self, iou: float) -> "Matches":
        """Return those for one limit.

        Raises:
            UsageError: It is none of the limits.
        """
        near = np.flatnonzero(np.isclose(self.ious, iou, rtol=0, atol=1e-9))
        if len(near) != 1:
            raise UsageError(f"matched at IoU {self.ious.round(4).tolist()}; there is no {iou}")
        kept = self.right[near], self.ignored[near]
        return Matches(self.ious[near], self.scores, self.labels, self.images, *kept, self.truths)

    def only(self) -> tuple[Bools, Bools]:
        """Return what is right and what is ignored, bool (D,) each, of matches for one limit.

        Raises:
            UsageError: There are several limits.
        """
        if len(self.ious) != 1:
            raise UsageError(f"need matches for one IoU; got {len(self.ious)}", hint="choose one by .at(0.5)")
        return self.right[0], self.ignored[0]


def match(
    found: Sequence[Found],
    truths: Sequence[Truth],
    *,
    classes: int,
    ious: Sequence[float] = COCO_IOUS,
    most: int = 100,
    masks: bool = False,
) -> Matches:
    """Return what of all that was found is there, at each limit of the overlap.

    Args:
        found: Of each picture.
        truths: Of each picture.
        classes: How many there are.
        ious: Limits in (0, 1].
        most: How many of each class on each picture count, the surest; as in COCO, where it is 100.
        masks: Whether the overlap is that of masks, not of boxes.

    Raises:
        UsageError: The numbers of pictures differ, a label is outside [0, classes), a limit outside (0, 1],
            or masks are asked for that are not there.
    """
    limits = np.asarray(ious, np.float64)
    if len(found) != len(truths):
        raise UsageError(f"need what is there for each of {len(found)} pictures; got {len(truths)}")
    if limits.ndim != 1 or len(limits) == 0 or not ((limits > 0) & (limits <= 1)).all() or most < 1:
        raise UsageError(f"need limits of the IoU in (0, 1] and most ≥ 1; got {list(ious)} and {most}")
    parts = [_part(*pair, limits, classes, most, masks) for pair in zip(found, truths, strict=True)]
    images = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
    scores = np.concatenate([np.empty(0), *(part[0] for part in parts)])
    order = np.argsort(-scores, kind="stable")
    none = np.empty((len(limits), 0), np.bool_)
    return Matches(
        ious=limits,
        scores=scores[order],
        labels=np.concatenate([np.empty(0, np.int64), *(part[1] for part in parts)])[order],
        images=images[order],
        right=np.concatenate([none, *(part[2] for part in parts)], axis=1)[:, order],
        ignored=np.concatenate([none, *(part[3] for part in parts)], axis=1)[:, order],
        truths=np.array([_counted(truth, classes) for truth in truths], np.int64).reshape(-1, classes),
    )


def _part(
    found: Found, truth: Truth, limits: Floats, classes: int, most: int, masks: bool
) -> tuple[Floats, NDArray[np.int64], Bools, Bools]:
    """Return scores, labels, right and ignored of one picture, class by class."""
    _check_labels(found.labels, classes)
    if masks and (found.masks is None or truth.masks is None):
        raise UsageError("an overlap of masks needs masks of what was found and of what is there")
    scores, labels = [np.empty(0)], [np.empty(0, np.int64)]
    right = [np.empty((len(limits), 0), np.bool_)]
    ignored = list(right)
    for label in np.unique(found.labels):
        mine = np.flatnonzero(found.labels == label)
        mine = mine[np.argsort(-found.scores[mine], kind="stable")][:most]
        there = np.flatnonzero(truth.labels == label)
        overlap = _overlap(found, truth, mine, there, masks)
        aside = truth.ignored[there]
        hits = _greedy(overlap[:, ~aside], limits)
        near = overlap[:, aside].max(axis=1, initial=-1.0) >= limits[:, None]
        scores.append(found.scores[mine].astype(np.float64))
        labels.append(np.full(len(mine), label, np.int64))
        right.append(hits)
        ignored.append(near & ~hits)
    joined = np.concatenate(right, axis=1), np.concatenate(ignored, axis=1)
    return np.concatenate(scores), np.concatenate(labels), *joined


def _overlap(
    found: Found, truth: Truth, mine: NDArray[np.int64], there: NDArray[np.int64], masks: bool
) -> Floats:
    crowd = truth.ignored[there]
    if masks and found.masks is not None and truth.masks is not None:
        return mask_iou(some(found.masks, mine), some(truth.masks, there), crowd=crowd)
    return box_iou(found.boxes[mine], truth.boxes[there], crowd=crowd)


def _greedy(overlap: Floats, limits: Floats) -> Bools:
    """Return what takes an object, bool (T, D), of overlaps (D, M), the surest first."""
    taken = np.zeros((len(limits), overlap.shape[1]), np.bool_)
    right = np.zeros((len(limits), len(overlap)), np.bool_)
    lowest = limits.min()
    for row in np.flatnonzero(overlap.max(axis=1, initial=-1.0) >= lowest):
        near = np.flatnonzero(overlap[row] >= lowest)[::-1]  # the last one wins a tie
        free = np.where(taken[:, near] | (overlap[row, near] < limits[:, None]), -1.0, overlap[row, near])
        best = free.argmax(axis=1)
        hit = np.flatnonzero(free[np.arange(len(limits)), best] >= 0)
        taken[hit, near[best[hit]]] = True
        right[hit, row] = True
    return right


def _counted(truth: Truth, classes: int) -> NDArray[np.int64]:
    _check_labels(truth.labels, classes)
    return np.bincount(truth.labels[~truth.ignored], minlength=classes)


def _check_labels(labels: NDArray[np.integer], classes: int) -> None:
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise UsageError(f"labels must be in [0, {classes}); got {labels.min()} to {labels.max()}")
