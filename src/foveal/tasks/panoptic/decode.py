"""From a panoptic recognizer's answers to a picture divided among objects and what is only there."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Sighting
from foveal.data.outline import Runs
from foveal.data.preprocess import Preprocess
from foveal.tasks.detect.decode import ObjectAnswers, ObjectDecision, certain, told
from foveal.tasks.detect.decode import original as boxes_in
from foveal.tasks.detect.masks import masks_of
from foveal.tasks.segment.decode import UInt8, shares_of
from foveal.tasks.segment.decode import original as regions_in

_LEFT = 0.5  # share of a mask that no more certain object took; with less of it, it is the same object again


def decode(  # noqa: PLR0913 - as of both tasks that it joins
    answers: ObjectAnswers,
    regions: UInt8,
    *,
    classes: Sequence[str],
    decision: ObjectDecision,
    preprocess: Preprocess,
    sources: Sequence[str],
    sizes: Sequence[tuple[int, int]],
) -> list[Sighting]:
    """Return the class of each pixel of N pictures, and the objects that some of them belong to.

    The most certain object takes the pixels of its mask that are of something counted, and its class becomes
    theirs; the next one those that are left. So no pixel belongs to two objects. Kirillov et al., "Panoptic
    Segmentation", 2019, §5, divides pictures so.

    Args:
        answers: Of N pictures, with masks.
        regions: The class of each pixel at model size, uint8 (N, H, W).
        classes: K names.
        decision: From answers to objects, and which classes are counted.
        preprocess: Brought the pictures to model size.
        sources: N names.
        sizes: Height and width of the N pictures.
    """
    counted = np.zeros(256, np.bool_)
    counted[list(decision.things or ())] = True
    seen = []
    for row, (source, size) in enumerate(zip(sources, sizes, strict=True)):
        shown = certain(answers.at(row), decision)
        shown = shown.at(np.flatnonzero(counted[shown.labels]))
        boxes = boxes_in(shown.boxes, size, preprocess)
        assert shown.masks is not None
        masks = masks_of(shown.masks, boxes, size, preprocess)
        whole = regions_in(regions[row], size, preprocess).copy()
        outlines, kept = _divided(masks, shown.labels, whole, counted)
        objects = told(shown.at(kept), boxes[kept], outlines, classes)
        areas = shares_of(whole, classes)
        seen.append(
            Sighting(source, width=size[1], height=size[0], objects=objects, areas=areas, regions=whole)
        )
    return seen


def _divided(
    masks: Sequence[Runs], labels: NDArray[np.int64], regions: UInt8, counted: NDArray[np.bool_]
) -> tuple[list[Runs], NDArray[np.int64]]:
    """Return what objects cover that share no pixel, and which of them are left; their class is laid down.

    Args:
        masks: Of objects, the most certain first.
        labels: Their classes.
        regions: The class of each pixel (H, W); changed where an object of another class is.
        counted: Whether objects of a class are counted, (256,).
    """
    free = counted[regions]
    outlines, kept = [], []
    for row, (mask, label) in enumerate(zip(masks, labels.tolist(), strict=True)):
        whole = mask.mask(*regions.shape)
        own = whole & free
        if own.sum() <= _LEFT * whole.sum():
            continue
        free &= ~own
        regions[own] = label
        outlines.append(Runs.of(own))
        kept.append(row)
    return outlines, np.array(kept, np.int64)
