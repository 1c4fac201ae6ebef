"""From what a graph answers to what is where, for every task that says it; numpy alone."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from foveal.bundle.inputs import UInt8
from foveal.bundle.manifest import Manifest
from foveal.bundle.session import Answers
from foveal.core.task import AREA_TASKS, OBJECT_TASKS
from foveal.core.types import Sighting
from foveal.tasks.defect import decode as defects
from foveal.tasks.defect.decode import DefectAnswers
from foveal.tasks.detect import decode as objects
from foveal.tasks.detect.decode import ObjectAnswers
from foveal.tasks.panoptic import decode as panoptic
from foveal.tasks.segment import decode as regions


class Parts(NamedTuple):
    """What a graph answers for N pictures, each None where its task has none.

    Attributes:
        found: Objects.
        areas: The class of each pixel, uint8 (N, H, W).
        wrong: Defects.
    """

    found: ObjectAnswers | None = None
    areas: UInt8 | None = None
    wrong: DefectAnswers | None = None


def checked(manifest: Manifest, answers: Answers, count: int) -> Parts:
    """Return what was answered for `count` pictures.

    Args:
        manifest: Of the bundle, which says where something is.
        answers: Outputs of its graph.
        count: How many pictures it was given.

    Raises:
        BundleError: They make no sense.
    """
    task, classes = manifest.task, len(manifest.classes)
    found = areas = wrong = None
    if task in OBJECT_TASKS:
        found = objects.checked(answers, count, classes=classes, outlined=task != "detect")
    if task in AREA_TASKS:
        areas = regions.checked(answers, count, classes=classes)
    if task == "defect":
        wrong = defects.checked(answers, count, kinds=manifest.kinds)
    return Parts(found, areas, wrong)


def sightings(
    manifest: Manifest, answers: Answers, *, sources: Sequence[str], sizes: Sequence[tuple[int, int]]
) -> list[Sighting]:
    """Return what is where on N pictures; arguments and errors as of `Predictor.seen`."""
    told: dict[str, Any] = {
        "classes": manifest.classes,
        "preprocess": manifest.preprocess,
        "sources": sources,
        "sizes": sizes,
    }
    found, areas, wrong = checked(manifest, answers, len(sources))
    if wrong is not None:
        return defects.decode(wrong, decision=manifest.defects, **told)
    if found is None:
        assert areas is not None  # a task that says where something is has one of them
        return regions.decode(areas, **told)
    if areas is None:
        return objects.decode(found, decision=manifest.objects, **told)
    return panoptic.decode(found, areas, decision=manifest.objects, **told)
