"""One call from what looks for defects and ships, and held-out pictures, to the report."""

import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.predictor import Predictor
from foveal.core import machine
from foveal.core.progress import Progress, silent
from foveal.core.types import Measured
from foveal.data.dataset import UInt8
from foveal.evaluate.defects_document import DefectMetrics, DefectReport, KindMetrics
from foveal.evaluate.scenes import Scenes, answered, provenance
from foveal.metrics._by_class import ByClass
from foveal.metrics._by_units import Units
from foveal.metrics.clustered_auroc import clustered_auroc
from foveal.metrics.clustered_share import clustered_share
from foveal.metrics.independent_number import independent_number
from foveal.metrics.mean_iou import mean_iou
from foveal.metrics.pixel_confusion import pixel_confusion
from foveal.tasks.defect.decode import kinds_at, original

RECALL = 0.99  # of defective pictures, at which false calls are counted
_SHOWN = 12
_ROOM = 1e-9  # rounding of a share of pictures


class Part(NamedTuple):
    """What is stated about a picture: its class, 0 is good, and that of each pixel, uint8 (H, W)."""

    label: int
    regions: UInt8


class Judged(NamedTuple):
    """What was found on one picture: its class and score, whether places are shown, the classes of pixels."""

    label: int
    score: float
    shown: bool
    confusion: NDArray[np.int64]


def defects_report(
    predictor: Predictor,
    scenes: Scenes[Part],
    *,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = silent,
) -> DefectReport:
    """Return what was measured of the file that ships, in the pixels of the pictures themselves.

    Args:
        predictor: The bundle of what looks for defects.
        scenes: Pictures that it has not learned from.
        seed: For resampled intervals.
        threads: So many batches are worked on at once; None takes all processors we may use.
        progress: Told a few times a second.

    Raises:
        DataError: Not one picture can be used.
        UsageError: `other_task`: it does not look for defects.
    """
    threads = threads or machine.usable_cpus()
    started = time.monotonic()
    decision, classes = predictor.manifest.defects, len(predictor.classes)

    def look(images: UInt8, positions: list[int]) -> list[Judged]:
        rows = []
        for score, maps, position in zip(*predictor.suspect(images), positions, strict=True):
            truth = scenes.truth(position)
            size = truth.regions.shape[0], truth.regions.shape[1]
            found = kinds_at(original(decision.heat(maps), size, predictor.preprocess))
            confusion = pixel_confusion(found, truth.regions, classes=classes)
            rows.append(Judged(truth.label, float(score), bool(found.any()), confusion))
        return rows

    shape = predictor.preprocess.shape
    answers = answered(scenes, look, shape=shape, threads=threads, progress=progress)
    return DefectReport(
        classes=predictor.classes,
        metrics=measure_defects(answers.found, units=scenes.units_at(answers.positions), seed=seed),
        worst_pictures=_worst(answers.found, [scenes.sources[place] for place in answers.positions]),
        images=len(answers.found),
        split=scenes.split,
        digest=predictor.digest,
        task=predictor.manifest.task,
        unreadable=tuple((str(error.path), error) for error in answers.unreadable),
        provenance=provenance(predictor, scenes, answers, threads=threads, started=started),
    )


def _worst(pictures: Sequence[Judged], sources: Sequence[str]) -> tuple[tuple[str, bool, float], ...]:
    """Return good pictures with the highest scores and defective ones with the lowest, in turn."""
    places = sorted(range(len(pictures)), key=lambda place: pictures[place].score)
    missed = [place for place in places if pictures[place].label > 0]
    called = [place for place in reversed(places) if pictures[place].label == 0]
    half = _SHOWN // 2
    chosen = [*missed[:half], *called[:half]]
    return tuple((sources[place], pictures[place].label > 0, pictures[place].score) for place in chosen)


def measure_defects(
    pictures: Sequence[Judged], *, units: NDArray[np.int64] | None, seed: int
) -> DefectMetrics:
    """Return every number about what was seen on N pictures; `units` are what each belongs to, int64 (N,)."""
    labels = np.array([one.label for one in pictures])
    scores = np.array([one.score for one in pictures])
    shown = np.array([one.shown for one in pictures])
    confusion = np.stack([one.confusion for one in pictures])
    both = _two(confusion)
    kinds = []
    for label in range(confusion.shape[1]):
        own = labels == label
        some = own | (labels == 0)
        kinds.append(
            KindMetrics(
                int(own.sum()),
                _share(shown, own, units),
                _area(scores[some], own[some], _of(units, some), seed) if label else None,
            )
        )
    return DefectMetrics(
        image_auroc=_area(scores, labels > 0, units, seed),
        false_calls=false_calls(scores, labels > 0, units),
        iou=_overlap(confusion, units, seed),
        binary=_overlap(both, units, seed),
        kinds=tuple(kinds),
        confusion=confusion.sum(axis=0),
    )


def false_calls(scores: NDArray[np.floating], defective: NDArray[np.bool_], units: Units) -> Measured | None:
    """Return the share of good pictures whose scores are not below the one that 99 % of the defective reach.

    The interval is about chance among good pictures; that the score was found on these very pictures is not
    in it. None where one of the two groups is empty.
    """
    caught = np.sort(scores[defective])
    if not len(caught) or defective.all():
        return None
    needed = math.ceil(RECALL * len(caught) - _ROOM)
    return _share(scores >= caught[len(caught) - needed], ~defective, units)


def _share(what: NDArray[np.bool_], among: NDArray[np.bool_], units: Units) -> Measured | None:
    """Return the share of some pictures of which something holds; None where there are none."""
    if not among.any():
        return None
    return clustered_share(what[among], independent_number(_of(units, among), int(among.sum())))


def _area(
    scores: NDArray[np.floating], defective: NDArray[np.bool_], units: Units, seed: int
) -> Measured | None:
    if defective.all() or not defective.any():
        return None
    return clustered_auroc(scores, defective, units=units, seed=seed)


def _overlap(matrices: NDArray[np.int64], units: Units, seed: int) -> ByClass | None:
    return mean_iou(matrices, units=units, seed=seed) if matrices.any() else None


def _two(confusion: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the matrices, (N, K, K), where all kinds are one, (N, 2, 2)."""
    folded = np.stack([confusion[:, :1].sum(axis=1), confusion[:, 1:].sum(axis=1)], axis=1)
    return np.stack([folded[:, :, 0], folded[:, :, 1:].sum(axis=2)], axis=2)


def _of(units: Units, chosen: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    return None if units is None else np.asarray(units, np.int64)[chosen]
