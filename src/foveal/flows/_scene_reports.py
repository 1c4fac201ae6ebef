"""Measure a recognizer that says where something is, whichever of these tasks it is for."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.predictor import Predictor
from foveal.calibrate.objects import truth_of
from foveal.core.progress import Progress
from foveal.data.dataset import Dataset, UInt8
from foveal.data.truths import stated, stated_regions
from foveal.evaluate.defects import Part, defects_report
from foveal.evaluate.objects import objects_report
from foveal.evaluate.panoptic import panoptic_report
from foveal.evaluate.regions import regions_report
from foveal.evaluate.scene_document import SceneReport
from foveal.evaluate.scenes import Scenes
from foveal.metrics._found import Truth


def scene_report(  # noqa: PLR0913 - what was opened, and what is known of it
    predictor: Predictor,
    dataset: Dataset,
    indices: NDArray[np.int64],
    read: Callable[[int], UInt8],
    *,
    about: dict[str, Any],
    seed: int,
    threads: int | None,
    progress: Progress,
) -> SceneReport:
    """Return what was measured of the file that ships.

    Args:
        predictor: The bundle, opened with one thread: batches run side by side.
        dataset: With what is where on the pictures.
        indices: Which of its pictures, int64 (N,).
        read: Returns the model's input for one of these, by its position 0 to N - 1.
        about: What is known of them: `split`, `fingerprint`, `split_seed`, `units`; see `Scenes`.
        seed: For resampled intervals.
        threads: Batches at once; None takes all processors we may use.
        progress: Told a few times a second.

    Raises:
        DataError: Not one picture can be used, or nothing is on them.
    """
    sources = [dataset.sources[index] for index in indices]
    task = predictor.manifest.task

    def size(position: int) -> tuple[int, int]:
        header = dataset.read(int(indices[position])).header()
        return header.height, header.width

    def objects(position: int) -> Truth:
        found = of(int(indices[position]))
        return truth_of(found, None if task == "detect" else size(position), said)

    run: dict[str, Any] = {"seed": seed, "threads": threads, "progress": progress}
    if task == "segment":
        maps = stated_regions(dataset, classes=predictor.classes)
        areas = Scenes[UInt8](sources, read, lambda place: maps(int(indices[place])), size, **about)
        return regions_report(predictor, areas, **run)
    if task == "defect":
        maps = stated_regions(dataset, classes=predictor.classes)
        order = [predictor.classes.index(name) for name in dataset.classes]
        parts = Scenes(
            sources,
            read,
            lambda place: Part(order[dataset.labels[indices[place]]], maps(int(indices[place]))),
            size,
            **about,
        )
        return defects_report(predictor, parts, **run)
    said = predictor.manifest.objects.attributes
    of = stated(dataset, predictor.preprocess, classes=predictor.classes)
    if task == "panoptic":
        maps = stated_regions(dataset, classes=predictor.classes)
        both = Scenes(sources, read, lambda place: (objects(place), maps(int(indices[place]))), size, **about)
        return panoptic_report(predictor, both, **run)
    return objects_report(predictor, Scenes(sources, read, objects, size, **about), **run)


def with_provenance(report: SceneReport, **facts: Any) -> SceneReport:
    """Return a report that says more of where its numbers come from."""
    return replace(report, provenance={**report.provenance, **facts})
