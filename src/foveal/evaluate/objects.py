"""One call from a detector that ships and held-out pictures to the report."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.predictor import Predictor
from foveal.calibrate.attributes import joined
from foveal.calibrate.objects import IOU, found_of, shown
from foveal.core import machine
from foveal.core.errors import DataError
from foveal.core.progress import Progress, silent
from foveal.data.dataset import UInt8
from foveal.data.preprocess import Preprocess
from foveal.evaluate.objects_document import MaskMetrics, Misjudged, ObjectMetrics, ObjectReport
from foveal.evaluate.scenes import Scenes, answered, provenance
from foveal.metrics._found import Found, Truth
from foveal.metrics._pairs import pairs
from foveal.metrics.attribute_accuracy import AttributeAccuracy, attribute_accuracy
from foveal.metrics.counting_mae import counting_mae
from foveal.metrics.detection_ece import detection_ece
from foveal.metrics.f1_at_threshold import f1_at_threshold
from foveal.metrics.map_interval import map_interval
from foveal.metrics.match import COCO_IOUS, Matches, match
from foveal.metrics.mean_average_precision import mean_average_precision
from foveal.tasks.detect.decode import ObjectAnswers, ObjectDecision, original
from foveal.tasks.detect.masks import masks_of

_SHOWN = 12
_NOISE = 0.05  # score up to which answers say nothing, and how well they are calibrated neither
_DRAWS = 200  # resamples of the mean over ten limits, which costs ten times as much


def objects_report(
    predictor: Predictor,
    scenes: Scenes[Truth],
    *,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = silent,
) -> ObjectReport:
    """Return what was measured of the file that ships, through the preprocessing that serves.

    Pictures that cannot be used are listed in the report and are in no number.

    Args:
        predictor: The bundle of a detector.
        scenes: Pictures that it has not learned from.
        seed: For resampled intervals.
        threads: So many batches are worked on at once; None takes all processors we may use.
        progress: Told a few times a second.

    Raises:
        DataError: Not one picture can be used, or nothing is on them (`no_objects`).
        UsageError: `other_task`: it is no detector.
    """
    threads = threads or machine.usable_cpus()
    started = time.monotonic()

    def look(images: UInt8, positions: list[int]) -> list[Found]:
        sizes = [scenes.size(position) for position in positions]
        return found_on(predictor.look(images), sizes, predictor.preprocess)

    shape = predictor.preprocess.shape
    answers = answered(scenes, look, shape=shape, threads=threads, progress=progress)
    truths = [scenes.truth(position) for position in answers.positions]
    decision, classes = predictor.manifest.objects, predictor.classes
    progress("resampling", 0, 1)
    metrics = measure_objects(
        answers.found,
        truths,
        decision,
        classes=len(classes),
        units=scenes.units_at(answers.positions),
        seed=seed,
    )
    progress("resampling", 1, 1)
    names = [scenes.sources[position] for position in answers.positions]
    return ObjectReport(
        classes=classes,
        decision=decision,
        metrics=metrics,
        worst_pictures=_worst(answers.found, truths, decision, names),
        images=len(answers.found),
        split=scenes.split,
        digest=predictor.digest,
        task=predictor.manifest.task,
        unreadable=tuple((str(error.path), error) for error in answers.unreadable),
        provenance=provenance(predictor, scenes, answers, threads=threads, started=started),
    )


def measure_objects(
    found: Sequence[Found],
    truths: Sequence[Truth],
    decision: ObjectDecision,
    *,
    classes: int,
    units: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> ObjectMetrics:
    """Return every number about what was found on N pictures.

    Args:
        found: All answers, whatever their score.
        truths: What is there.
        decision: The bundle's thresholds; fitted on other pictures.
        classes: How many there are.
        units: What each picture belongs to, int64 (N,); whole units are drawn.
        seed: For resampled intervals.

    Raises:
        DataError: `no_objects`: nothing is on any of them.
    """
    if not any(len(truth) - int(truth.ignored.sum()) for truth in truths):
        raise DataError(
            "nothing is on these pictures: how well objects are found cannot be said",
            code="no_objects",
            hint="take pictures that show some; foveal predict tells what it finds on these",
        )
    matches = match(found, truths, classes=classes, ious=COCO_IOUS, most=decision.objects)
    at50, limits = matches.at(IOU), np.array(decision.thresholds)
    masks = None
    if any(one.masks is not None for one in found):
        outlined = match(found, truths, classes=classes, ious=COCO_IOUS, most=decision.objects, masks=True)
        masks = MaskMetrics(**_precisions(outlined, units=units, seed=seed))
    return ObjectMetrics(
        **_precisions(matches, units=units, seed=seed),
        pooled50=map_interval(at50, pooled=True, units=units, seed=seed),
        detected=f1_at_threshold(at50, limits, units=units, seed=seed),
        counting=counting_mae(at50, limits, units=units, seed=seed),
        ece=_ece(at50),
        objects=tuple(int(count) for count in matches.truths.sum(axis=0)),
        masks=masks,
        attributes=_attributes(found, truths, decision, units=units, seed=seed),
    )


def _attributes(
    found: Sequence[Found],
    truths: Sequence[Truth],
    decision: ObjectDecision,
    *,
    units: NDArray[np.int64] | None,
    seed: int,
) -> dict[str, AttributeAccuracy]:
    """Return how often each attribute of what is shown, and there, is told rightly, by its name."""
    if not decision.attributes or any(truth.attributes is None for truth in truths):
        return {}
    seen = [shown(one, decision.thresholds) for one in found]
    together = [pairs(*pair, iou=IOU) for pair in zip(seen, truths, strict=True)]
    measured, start = {}, 0
    for place, one in enumerate(decision.attributes):
        columns = slice(start, start + len(one.values))
        start = columns.stop
        rows = [
            joined([own], [truth], [pair], place, columns)
            for own, truth, pair in zip(seen, truths, together, strict=True)
        ]
        shares, values = [row[0] for row in rows], [row[1] for row in rows]
        measured[one.name] = attribute_accuracy(shares, values, one.threshold, units=units, seed=seed)
    return measured


def _precisions(matches: Matches, *, units: NDArray[np.int64] | None, seed: int) -> dict[str, Any]:
    """Return mean average precision at half overlap, at 0.75 and over all limits, and of each class."""
    at50 = matches.at(IOU)
    whole, half = mean_average_precision(matches), mean_average_precision(at50)
    return {
        "map50": map_interval(at50, units=units, seed=seed),
        "map75": map_interval(matches.at(0.75), units=units, seed=seed),
        "map": map_interval(matches, units=units, seed=seed, draws=_DRAWS),
        "per_class": tuple(
            (_known(half.per_class[0, label]), _known(_mean(whole.per_class[:, label])))
            for label in range(matches.truths.shape[1])
        ),
    }


def found_on(answers: ObjectAnswers, sizes: Sequence[tuple[int, int]], preprocess: Preprocess) -> list[Found]:
    """Return what was found on pictures of these heights and widths, masks in the pixels of the pictures."""
    found = found_of(answers)
    if answers.masks is None:
        return found
    outlined = []
    for row, (one, size) in enumerate(zip(found, sizes, strict=True)):
        boxes = original(one.boxes.astype(np.float32), size, preprocess)
        masks = masks_of(answers.masks[row][answers.scores[row] > 0], boxes, size, preprocess)
        outlined.append(replace(one, masks=masks))
    return outlined


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean())


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _ece(matches: Matches) -> float | None:
    found = detection_ece(matches, above=_NOISE).pooled
    return None if found is None else found.ece


def _worst(
    found: Sequence[Found], truths: Sequence[Truth], decision: ObjectDecision, names: Sequence[str]
) -> tuple[Misjudged, ...]:
    """Return the pictures with most mistakes at the bundle's thresholds."""
    seen = [shown(one, decision.thresholds) for one in found]
    matches = match(seen, truths, classes=len(decision.thresholds), ious=[IOU], most=decision.objects)
    right, ignored = matches.only()
    hits = np.bincount(matches.images[right], minlength=len(found))
    wrong = np.bincount(matches.images[~right & ~ignored], minlength=len(found))
    missed = matches.truths.sum(axis=1) - hits
    order = np.argsort(-(missed + wrong), kind="stable")[:_SHOWN]
    return tuple(Misjudged(names[row], int(missed[row]), int(wrong[row])) for row in order)
