"""One call from a segmenter that ships and held-out pictures to the report."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.predictor import Predictor
from foveal.core import machine
from foveal.core.progress import Progress, silent
from foveal.data.dataset import UInt8
from foveal.evaluate.regions_document import RegionMetrics, RegionReport
from foveal.evaluate.scenes import Scenes, answered, provenance
from foveal.metrics.boundary_f import boundary_counts, boundary_f
from foveal.metrics.boundary_iou import band_counts, boundary_iou
from foveal.metrics.mean_iou import mean_iou
from foveal.metrics.pixel_accuracy import pixel_accuracy
from foveal.metrics.pixel_confusion import pixel_confusion
from foveal.tasks.segment.decode import original

_SHOWN = 12


class Counted(NamedTuple):
    """What is counted on one picture: the classes of its pixels, their edges, and what lies near these."""

    confusion: NDArray[np.int64]
    edges: NDArray[np.int64]
    bands: NDArray[np.int64]


def regions_report(
    predictor: Predictor,
    scenes: Scenes[UInt8],
    *,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = silent,
) -> RegionReport:
    """Return what was measured of the file that ships, in the pixels of the pictures themselves.

    Pictures that cannot be used are listed in the report and are in no number.

    Args:
        predictor: The bundle of a segmenter.
        scenes: Pictures that it has not learned from, with class maps at their own size.
        seed: For resampled intervals.
        threads: So many batches are worked on at once; None takes all processors we may use.
        progress: Told a few times a second.

    Raises:
        DataError: Not one picture can be used.
        UsageError: `other_task`: it is no segmenter.
    """
    threads = threads or machine.usable_cpus()
    started = time.monotonic()
    classes = len(predictor.classes)

    def look(images: UInt8, positions: list[int]) -> list[Counted]:
        rows = []
        for regions, position in zip(predictor.regions(images), positions, strict=True):
            truth = scenes.truth(position)
            found = original(regions, (truth.shape[0], truth.shape[1]), predictor.preprocess)
            rows.append(counted(found, truth, classes=classes))
        return rows

    shape = predictor.preprocess.shape
    answers = answered(scenes, look, shape=shape, threads=threads, progress=progress)
    confusion = np.stack([one.confusion for one in answers.found])
    right = confusion.trace(axis1=1, axis2=2) / np.maximum(1, confusion.sum(axis=(1, 2)))
    worst = np.argsort(right, kind="stable")[:_SHOWN]
    return RegionReport(
        classes=predictor.classes,
        metrics=measure_regions(answers.found, units=scenes.units_at(answers.positions), seed=seed),
        worst_pictures=tuple((scenes.sources[answers.positions[row]], float(right[row])) for row in worst),
        images=len(answers.found),
        split=scenes.split,
        digest=predictor.digest,
        task=predictor.manifest.task,
        unreadable=tuple((str(error.path), error) for error in answers.unreadable),
        provenance=provenance(predictor, scenes, answers, threads=threads, started=started),
    )


def measure_regions(
    pictures: Sequence[Counted], *, units: NDArray[np.int64] | None, seed: int
) -> RegionMetrics:
    """Return every number about what was seen on N pictures; `units` are what each belongs to, int64 (N,)."""
    confusion, edges, bands = (np.stack(column) for column in zip(*pictures, strict=True))
    return RegionMetrics(
        iou=mean_iou(confusion, units=units, seed=seed),
        accuracy=pixel_accuracy(confusion, units=units, seed=seed),
        boundary_f=boundary_f(edges, units=units, seed=seed),
        boundary_iou=boundary_iou(bands, units=units, seed=seed),
        confusion=confusion.sum(axis=0),
    )


def counted(found: UInt8, truth: UInt8, *, classes: int) -> Counted:
    """Return what is counted on one picture.

    Args:
        found: The class that was given to each of its pixels, uint8 (H, W).
        truth: The class that each has, uint8 (H, W), 255 where nothing is said.
        classes: K.
    """
    return Counted(
        pixel_confusion(found, truth, classes=classes),
        boundary_counts(found, truth, classes=classes),
        band_counts(found, truth, classes=classes),
    )
