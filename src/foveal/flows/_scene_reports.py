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
from foveal.evaluate.objects import objects_report
from foveal.evaluate.objects_document import ObjectReport
from foveal.evaluate.regions import regions_report
from foveal.evaluate.regions_document import RegionReport
from foveal.evaluate.scenes import Scenes

SceneReport = ObjectReport | RegionReport


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
    if predictor.manifest.task == "segment":
        maps = stated_regions(dataset, classes=predictor.classes)
        areas = Scenes[UInt8](sources, read, lambda position: maps(int(indices[position])), **about)
        return regions_report(predictor, areas, seed=seed, threads=threads, progress=progress)
    of = stated(dataset, predictor.preprocess, classes=predictor.classes)
    objects = Scenes(sources, read, lambda position: truth_of(of(int(indices[position]))), **about)
    return objects_report(predictor, objects, seed=seed, threads=threads, progress=progress)


def with_provenance(report: SceneReport, **facts: Any) -> SceneReport:
    """Return a report that says more of where its numbers come from."""
    return replace(report, provenance={**report.provenance, **facts})
