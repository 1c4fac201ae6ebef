"""Pictures with what was found on them beside what is stated, for the pages."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from foveal.bundle.predictor import Predictor
from foveal.core.errors import ImageError
from foveal.core.types import Sighting
from foveal.core.wording import counted
from foveal.data.dataset import Dataset, UInt8
from foveal.data.drawn import drawn
from foveal.data.drawn_sighting import drawn_sighting
from foveal.data.scene import VOID
from foveal.evaluate.defects_document import DefectReport
from foveal.evaluate.objects_document import ObjectReport
from foveal.evaluate.panoptic_document import PanopticReport
from foveal.evaluate.regions_document import RegionReport
from foveal.evaluate.scene_document import SceneReport
from foveal.report.scenes_page import Shown, shown

_LONGEST = 480  # pixels of each of the two
_GAP = 8


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
        right = _stated(dataset, index, pixels, predictor.classes)
        gap = np.full((left.shape[0], _GAP, 3), 255, np.uint8)
        pictures.append(shown(source, said, np.concatenate([left, gap, right], axis=1)))
    return pictures


def _worst(report: SceneReport) -> list[tuple[str, str]]:
    """Return names of pictures, each with what is wrong on it in a few words."""
    if isinstance(report, ObjectReport | PanopticReport):
        return [
            (one.source, f"{counted(one.missed, 'object')} missed, {one.invented} seen that are not there")
            for one in report.worst_pictures
        ]
    if isinstance(report, DefectReport):
        return [
            (source, f"{'defective' if defective else 'good'}, score {score:.3g}")
            for source, defective, score in report.worst_pictures
        ]
    assert isinstance(report, RegionReport)
    return [(source, f"{share:.1%} of the pixels right") for source, share in report.worst_pictures]


def _stated(dataset: Dataset, index: int, pixels: UInt8, classes: Sequence[str]) -> UInt8:
    """Return a picture with what is stated about it, in the colours that the recognizer's classes have."""
    scenes = dataset.scenes
    assert scenes is not None
    names = [*classes, *(name for name in dataset.classes if name not in classes)]
    order = np.array([names.index(name) for name in dataset.classes], np.int64)
    if scenes.task in ("segment", "defect") and scenes.regions is not None:
        table = np.full(256, VOID, np.uint8)
        table[: len(order)] = order
        if scenes.task == "defect":  # what is good keeps its own colours
            table[0] = VOID
        return drawn(pixels, names, regions=table[scenes.regions(index)], longest=_LONGEST)
    objects = scenes.objects(index)
    return drawn(pixels, names, objects=replace(objects, labels=order[objects.labels]), longest=_LONGEST)
