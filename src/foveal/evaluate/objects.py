"""One call from a detector that ships and held-out pictures to the report."""

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

import foveal
from foveal.bundle.predictor import Predictor
from foveal.calibrate.objects import IOU, found_of
from foveal.core import machine
from foveal.core.batches import in_parts
from foveal.core.errors import DataError, ImageError, UsageError
from foveal.core.parallel import in_order
from foveal.core.progress import Progress, silent
from foveal.data.dataset import UInt8
from foveal.evaluate.objects_document import Misjudged, ObjectMetrics, ObjectReport
from foveal.metrics._found import Found, Truth
from foveal.metrics.counting_mae import counting_mae
from foveal.metrics.f1_at_threshold import f1_at_threshold
from foveal.metrics.map_interval import map_interval
from foveal.metrics.match import COCO_IOUS, Matches, match
from foveal.metrics.mean_average_precision import mean_average_precision
from foveal.tasks.detect.decode import ObjectDecision

_SHOWN = 12
_DRAWS = 200  # resamples of the mean over ten limits, which costs ten times as much
_NAME = "foveal-evaluate"  # of the threads
_REPORT_SECONDS = 0.25


@dataclass(frozen=True)
class Scenes:
    """N pictures with what is where on them; nothing is decoded before it is asked for.

    Attributes:
        sources: N names.
        read: Returns the model's input for a picture 0 to N - 1, uint8 (H, W, C), from any thread; raises
            ImageError where it cannot be used.
        truth: Returns what is there, in pixels of the model's input and by the model's labels.
        split: Which part of the data these are.
        fingerprint: The data they are from, where known.
        split_seed: What the part was drawn with, where it was drawn.
        units: A number for each picture, equal for those that belong together, int64 (N,); None: not known.
    """

    sources: Sequence[str] = field(repr=False)
    read: Callable[[int], UInt8] = field(repr=False)
    truth: Callable[[int], Truth] = field(repr=False)
    split: str = "test"
    fingerprint: str | None = None
    split_seed: int | None = None
    units: NDArray[np.int64] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.sources)


@dataclass(frozen=True)
class _Part:
    """What was found on some pictures, and what is wrong with the others."""

    found: list[Found]
    positions: list[int]
    errors: list[ImageError]


def objects_report(
    predictor: Predictor,
    scenes: Scenes,
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
    found, positions, errors = _answered(predictor, scenes, threads=threads, progress=progress)
    seconds = time.monotonic() - started
    truths = [scenes.truth(position) for position in positions]
    decision = predictor.manifest.objects
    units = None if scenes.units is None else scenes.units[positions]
    classes = predictor.classes
    progress("resampling", 0, 1)
    metrics = measure_objects(found, truths, decision, classes=len(classes), units=units, seed=seed)
    progress("resampling", 1, 1)
    names = [scenes.sources[position] for position in positions]
    report = ObjectReport(
        classes=classes,
        decision=decision,
        metrics=metrics,
        worst_pictures=_worst(found, truths, decision, names),
        images=len(found),
        split=scenes.split,
        digest=predictor.digest,
        task=predictor.manifest.task,
        unreadable=tuple((str(error.path), error) for error in errors),
    )
    return replace(
        report,
        provenance={
            "foveal": foveal.__version__,
            "engine": predictor.session.engine,
            "precision": predictor.precision,
            "python": platform.python_version(),
            "cpu": machine.cpu_name(),
            "threads": threads,
            "independent_images": None if units is None else len(set(units.tolist())),
            "fingerprint": scenes.fingerprint,
            "split_seed": scenes.split_seed,
            "seconds": time.monotonic() - started,
            "images_per_second": len(scenes) / max(seconds, 1e-9),
        },
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
            "nothing is on these pictures: how well objects are found cannot be said", code="no_objects"
        )
    matches = match(found, truths, classes=classes, ious=COCO_IOUS, most=decision.objects)
    at50 = matches.at(IOU)
    whole, half = mean_average_precision(matches), mean_average_precision(at50)
    limits = np.array(decision.thresholds)
    return ObjectMetrics(
        map50=map_interval(at50, units=units, seed=seed),
        map75=map_interval(matches.at(0.75), units=units, seed=seed),
        map=map_interval(matches, units=units, seed=seed, draws=_DRAWS),
        pooled50=map_interval(at50, pooled=True, units=units, seed=seed),
        per_class=tuple(
            (_known(half.per_class[0, label]), _known(_mean(whole.per_class[:, label])))
            for label in range(classes)
        ),
        detected=f1_at_threshold(at50, limits, units=units, seed=seed),
        counting=counting_mae(at50, limits, units=units, seed=seed),
        ece=_ece(at50),
        objects=tuple(int(count) for count in matches.truths.sum(axis=0)),
    )


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean())


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _ece(matches: Matches) -> float | None:
    return None


def _answered(
    predictor: Predictor, scenes: Scenes, *, threads: int, progress: Progress
) -> tuple[list[Found], list[int], list[ImageError]]:
    if len(scenes) == 0:
        raise UsageError("need at least one picture", code="empty")
    said = time.monotonic()
    chunks = in_parts(len(scenes), predictor.preprocess.shape)
    parts: list[_Part] = []
    work = in_order(lambda chunk: _ask(predictor, scenes, chunk), chunks, workers=threads, name=_NAME)
    for chunk, part in zip(chunks, work, strict=True):
        parts.append(part)
        if time.monotonic() - said > _REPORT_SECONDS:
            said = time.monotonic()
            progress("measuring", chunk.stop, len(scenes))
    progress("measuring", len(scenes), len(scenes))
    errors = [error for part in parts for error in part.errors]
    found = [one for part in parts for one in part.found]
    if not found:
        raise DataError(
            f"not one of {len(errors)} pictures can be used; the first: {errors[0].message}",
            code="no_readable_images",
            path=errors[0].path,
        )
    return found, [position for part in parts for position in part.positions], errors


def _ask(predictor: Predictor, scenes: Scenes, positions: range) -> _Part:
    """Read, preprocess and run one batch."""
    images: list[UInt8] = []
    kept: list[int] = []
    errors: list[ImageError] = []
    for position in positions:
        try:
            images.append(scenes.read(position))
            kept.append(position)
        except ImageError as error:
            error.path = scenes.sources[position]
            errors.append(error.with_traceback(None))  # a traceback would keep the picture alive
    return _Part(found_of(predictor.look(np.stack(images))) if images else [], kept, errors)


def _worst(
    found: Sequence[Found], truths: Sequence[Truth], decision: ObjectDecision, names: Sequence[str]
) -> tuple[Misjudged, ...]:
    """Return the pictures with most mistakes at the bundle's thresholds."""
    limits = np.array(decision.thresholds, np.float32)
    shown = []
    for one in found:
        kept = one.scores >= limits[one.labels]
        shown.append(Found(one.boxes[kept], one.scores[kept], one.labels[kept]))
    matches = match(shown, truths, classes=len(limits), ious=[IOU], most=decision.objects)
    right, ignored = matches.only()
    hits = np.bincount(matches.images[right], minlength=len(found))
    wrong = np.bincount(matches.images[~right & ~ignored], minlength=len(found))
    missed = matches.truths.sum(axis=1) - hits
    order = np.argsort(-(missed + wrong), kind="stable")[:_SHOWN]
    return tuple(
        Misjudged(names[row], int(missed[row]), int(wrong[row])) for row in order if missed[row] + wrong[row]
    )
