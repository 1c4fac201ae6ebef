"""How a sealed file is run best here, and how fast: files in turns, each in ways that decide alike.

What is timed is an answer: of what says where something is with its step behind the graph, in numpy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle import timing
from foveal.bundle.agreement import compared, flips
from foveal.bundle.footprint import footprint
from foveal.bundle.predictor import Predictor
from foveal.bundle.session import Answers, UInt8
from foveal.bundle.timing import Times
from foveal.bundle.turns import Lane, take_turns
from foveal.bundle.ways import MOST_FLIPS_OF, REFERENCE, Way
from foveal.core.batches import batches
from foveal.core.errors import FovealError
from foveal.core.progress import Progress, silent
from foveal.core.task import SCENE_TASKS
from foveal.data.preprocess import Preprocess
from foveal.data.sizing import evenly_spaced
from foveal.metrics.quantile import quantile
from foveal.optimize.variant import Ratio, Speed

_COMPARED = 512  # pictures on which a way has to decide as the reference does
_SCENES_COMPARED = 64  # the same, where each has many decisions
_INPUTS = 8  # different pictures that are timed in turn


@dataclass(frozen=True)
class Timed:
    """A file in one way, timed in the same rounds as others.

    Attributes:
        way: How it was run.
        times: Seconds a picture.
        processor: Seconds of all threads together for a picture, float64 (R,); None: not measured.
    """

    way: Way
    times: Times
    processor: NDArray[np.float64] | None = None


def alike(bundle: Path, ways: Sequence[Way], images: UInt8) -> list[Way]:
    """Return the ways in which a file runs and decides as in ONNX Runtime, where it was sealed.

    Each engine and precision first runs in a process of its own: what crashes there is left out. At most
    0.5 % of the pictures may be named otherwise; or 2 % of the objects or pixels.

    Args:
        bundle: The file.
        ways: To choose from.
        images: Pictures at model size, uint8 (N, S, S, C); up to 512 of them, evenly spaced, are compared,
            or 64 where each has many decisions.

    Raises:
        BundleError: It does not run in ONNX Runtime.
    """
    reference = _opened(bundle, Way(REFERENCE, "fp32", 1))
    most = _SCENES_COMPARED if reference.manifest.task in SCENE_TASKS else _COMPARED
    shown = images[evenly_spaced(len(images), at_most=most)]
    truth = _asked(reference, shown)
    sound: dict[tuple[str, str], bool] = {(REFERENCE, "fp32"): True}
    for way in ways:
        kind = way.engine, way.precision
        if kind not in sound:
            sound[kind] = footprint(bundle, way, batch=1).error is None and _agrees(bundle, way, shown, truth)
    return [way for way in ways if sound[way.engine, way.precision]]


def timed(
    files: Sequence[tuple[Path, Sequence[Way]]],
    images: Mapping[int, UInt8],
    *,
    seconds: float,
    progress: Progress = silent,
) -> list[list[Timed]]:
    """Time files, each in all of its ways, all in the same rounds.

    Args:
        files: Bundles, each with at least one way to run it.
        images: The same pictures at each size that a file takes, by its side in pixels, uint8 (N, s, s, C).
        seconds: For timing.
        progress: Told a few times a second.
    """
    inputs = {size: _inputs(each) for size, each in images.items()}
    lanes = [_lane(path, way, inputs) for path, ways in files for way in ways]
    turns = take_turns(lanes, seconds=seconds, progress=progress)
    found = zip(turns.times, turns.processor or [None] * len(lanes), strict=True)
    return [[Timed(way, *next(found)) for way in ways] for _, ways in files]


def _inputs(images: UInt8) -> tuple[UInt8, ...]:
    places = evenly_spaced(len(images), at_most=_INPUTS)
    return tuple(np.ascontiguousarray(images[place : place + 1]) for place in places)


def _lane(path: Path, way: Way, inputs: Mapping[int, tuple[UInt8, ...]]) -> Lane[Any]:
    first, second = _opened(path, way), _opened(path, way)
    shown = inputs[first.preprocess.size]
    if first.manifest.task in SCENE_TASKS:
        return Lane(_Told(first), _Told(second), way.threads, shown)
    return Lane(first, second, way.threads, shown)


def fastest(rows: Sequence[Timed]) -> Timed:
    """Return the fastest; of those that are not really slower, the one with the fewest threads."""
    return timing.choose(rows, times=lambda row: row.times, cost=lambda row: row.way.threads)[0]


def best_for_each_number_of_threads(rows: Sequence[Timed]) -> tuple[Way, ...]:
    """Return the fastest way of all first, then the fastest with each other number of threads."""
    first = fastest(rows).way
    counts = dict.fromkeys(row.way.threads for row in rows if row.way.threads != first.threads)
    return (first, *(fastest([row for row in rows if row.way.threads == n]).way for n in counts))


def speed(row: Timed, base: Timed) -> Speed:
    """Return how fast a file is, as such and beside another one in the same rounds."""
    p50, p99 = row.times.p50(), row.times.p99()
    processor = None if row.processor is None else quantile(row.processor, 0.5)
    beside = ratio(row, base)
    return Speed(
        engine=row.way.engine,
        precision=row.way.precision,
        threads=row.way.threads,
        p50=p50.value,
        p99=p99.value,
        low=p50.low,
        high=p50.high,
        ratio=beside.value,
        ratio_low=beside.low,
        ratio_high=beside.high,
        real=beside.real,
        rounds=p50.n,
        p99_low=p99.low,
        p99_high=p99.high,
        cpu=None if processor is None else processor.value,
        cpu_low=None if processor is None else processor.low,
        cpu_high=None if processor is None else processor.high,
    )


def ratio(row: Timed, base: Timed) -> Ratio:
    """Return the time of one over that of another one in the same rounds."""
    difference = timing.compare(row.times, base.times)
    value, low, high = difference.ratio.value, difference.ratio.low, difference.ratio.high
    return Ratio(
        value=float(np.exp(value)),
        low=None if low is None else float(np.exp(low)),
        high=None if high is None else float(np.exp(high)),
        real=difference.real,
        n=difference.ratio.n,
    )


def really_faster(rows: Sequence[Timed]) -> NDArray[np.bool_]:
    """Return for each pair whether the first is really faster than the second, bool (N, N).

    Args:
        rows: Timed in the same rounds.
    """
    return np.array(
        [
            [
                one is not other
                and (found := timing.compare(other.times, one.times)).real
                and found.ratio.value > 0
                for other in rows
            ]
            for one in rows
        ],
        dtype=np.bool_,
    ).reshape(len(rows), len(rows))


def _agrees(bundle: Path, way: Way, images: UInt8, truth: Answers) -> bool:
    try:
        predictor = _opened(bundle, way)
        found = flips(predictor.manifest, truth, _asked(predictor, images))
    except FovealError:  # it opens here no better than in a process of its own
        return False
    return found.share.value <= MOST_FLIPS_OF[found.unit]


def _asked(predictor: Predictor, images: UInt8) -> Answers:
    """Return what decides of the answers for pictures."""
    parts = [compared(predictor.ask(batch)) for batch in batches(images)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@dataclass(frozen=True)
class _Told:
    """What answers for pictures that were as large as the model's input, its last step included."""

    predictor: Predictor

    @property
    def preprocess(self) -> Preprocess:
        return self.predictor.preprocess

    def ask(self, images: UInt8) -> object:
        answers = self.predictor.ask(images)
        count = len(images)
        return self.predictor.seen(answers, sources=[""] * count, sizes=[self.preprocess.sides] * count)


def _opened(bundle: Path, way: Way) -> Predictor:
    return Predictor.open(bundle, engine=way.engine, precision=way.precision, threads=way.threads)
