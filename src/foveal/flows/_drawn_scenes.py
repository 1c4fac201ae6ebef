"""Pictures with what was found on them beside what is stated, for the pages."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.predictor import Predictor
from foveal.core.errors import ImageError
from foveal.core.types import Sighting
from foveal.core.wording import counted
from foveal.data.dataset import Dataset, UInt8
from foveal.data.drawn import drawn
from foveal.data.scene import Objects
from foveal.evaluate.objects_document import ObjectReport
from foveal.flows._scene_reports import SceneReport
from foveal.report.scenes_page import Shown, shown

_LONGEST = 480  # pixels of each of the two
_GAP = 8


def objects_of(seen: Sighting, classes: Sequence[str]) -> tuple[Objects, NDArray[np.float32]]:
    """Return what was found on a picture as it is drawn, with how sure each is, float32 (M,)."""
    order = {name: label for label, name in enumerate(classes)}
    boxes = np.array([one.box for one in seen.objects], np.float32).reshape(-1, 4)
    labels = np.array([order[one.label] for one in seen.objects], np.int64)
    scores = np.array([one.confidence for one in seen.objects], np.float32)
    return Objects(boxes, labels, np.zeros(len(labels), np.bool_)), scores


def drawn_sighting(seen: Sighting, pixels: UInt8, classes: Sequence[str], *, longest: int | None) -> UInt8:
    """Return a picture, uint8 (H, W, C), with what was found on it, uint8 (H', W', 3)."""
    if seen.areas is not None:
        return drawn(pixels, classes, regions=seen.regions, longest=longest)
    objects, scores = objects_of(seen, classes)
    return drawn(pixels, classes, objects=objects, scores=scores, longest=longest)


def drawn_mistakes(predictor: Predictor, report: SceneReport, dataset: Dataset) -> list[Shown]:
    """Return the pictures with most mistakes: what the sealed file finds beside what is stated.

    One that cannot be read any more is left out.
    """
    rows = {source: index for index, source in enumerate(dataset.sources)}
    pictures = []
    for source, said in _worst(report):
        try:
            index = rows[source]
            channels = dataset.read(index).header().channels
            pixels = dataset.read(index).decode(3 if channels == 3 else 1)
            [seen] = predictor.see_each(pixels, workers=1)
        except ImageError:
            continue
        if not isinstance(seen, Sighting):
            continue
        left = drawn_sighting(seen, pixels, predictor.classes, longest=_LONGEST)
        right = _stated(dataset, index, pixels)
        gap = np.full((left.shape[0], _GAP, 3), 255, np.uint8)
        pictures.append(shown(source, said, np.concatenate([left, gap, right], axis=1)))
    return pictures


def _worst(report: SceneReport) -> list[tuple[str, str]]:
    """Return names of pictures, each with what is wrong on it in a few words."""
    if isinstance(report, ObjectReport):
        return [
            (one.source, f"{counted(one.missed, 'object')} missed, {one.invented} seen that are not there")
            for one in report.worst_pictures
        ]
    return [(source, f"{share:.1%} of the pixels right") for source, share in report.worst_pictures]


def _stated(dataset: Dataset, index: int, pixels: UInt8) -> UInt8:
    """Return a picture with what is stated about it."""
    scenes = dataset.scenes
    assert scenes is not None
    if scenes.task == "segment" and scenes.regions is not None:
        return drawn(pixels, dataset.classes, regions=scenes.regions(index), longest=_LONGEST)
    return drawn(pixels, dataset.classes, objects=scenes.objects(index), longest=_LONGEST)
