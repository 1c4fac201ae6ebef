"""How fast sealed files answer one picture here, each in its fastest way, beside the original."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.bundle import timing
from foveal.bundle.predictor import Predictor
from foveal.bundle.session import UInt8
from foveal.bundle.timing import Times
from foveal.bundle.turns import Lane, take_turns
from foveal.bundle.ways import REFERENCE, Way
from foveal.core.errors import FovealError
from foveal.core.progress import Progress, silent
from foveal.optimize.variant import Speed

MOST_FLIPS = 0.005  # of the pictures may be named otherwise than by ONNX Runtime on the same file
_COMPARED = 256
_INPUTS = 8
_BATCH = 64


@dataclass(frozen=True)
class _Timed:
    way: Way
    times: Times


def speeds(
    original: Path,
    others: Sequence[Path],
    ways: Sequence[Way],
    images: UInt8,
    *,
    seconds: float,
    progress: Progress = silent,
) -> list[Speed]:
    """Return the speed of the original in ONNX Runtime, and of each other file in its fastest way.

    All take turns in the same rounds. A way in which a file does not run, or names more than 0.5 % of the
    pictures otherwise than the same file in ONNX Runtime, is not taken.

    Args:
        original: The bundle to compare with.
        others: Other bundles; the original may be among them.
        ways: To run them; those of ONNX Runtime are the original's own.
        images: Pictures at model size for each file, uint8 (N, S, S, C): the same, at the original's size.
        seconds: For timing.
        progress: Told a few times a second.

    Raises:
        BundleError: A file does not run in ONNX Runtime.
    """
    own = [way for way in ways if way.engine == REFERENCE]
    groups = [_lanes(original, own, images)]
    groups += [_lanes(path, ways, images) for path in others]
    lanes = [lane for group in groups for _, lane in group]
    turns = iter(take_turns(lanes, seconds=seconds, progress=progress).times)
    timed = [[_Timed(way, next(turns)) for way, _ in group] for group in groups]
    base = _fastest(timed[0])
    return [_speed(base, base), *(_speed(_fastest(rows), base) for rows in timed[1:])]


def answers(bundle: Path, images: UInt8, *, threads: int) -> NDArray[np.int64]:
    """Return the class that a bundle names for each picture, in ONNX Runtime, int64 (N,)."""
    predictor = Predictor.open(bundle, engine=REFERENCE, precision="fp32", threads=threads)
    return _labels(predictor, images)


def _lanes(bundle: Path, ways: Sequence[Way], images: UInt8) -> list[tuple[Way, Lane]]:
    """Open a file in every way in which it decides as in ONNX Runtime."""
    compared = images[:_COMPARED]
    inputs = tuple(np.ascontiguousarray(images[i : i + 1]) for i in range(min(_INPUTS, len(images))))
    truth = None
    found = []
    for way in sorted(ways, key=lambda way: way.engine != REFERENCE):
        try:
            first, twin = (
                Predictor.open(bundle, engine=way.engine, precision=way.precision, threads=way.threads)
                for _ in range(2)
            )
            labels = _labels(first, compared)
        except FovealError:
            if way.engine == REFERENCE:
                raise
            continue
        truth = labels if truth is None else truth
        if float((labels != truth).mean()) <= MOST_FLIPS:
            found.append((way, Lane(first, twin, way.threads, inputs)))
    return found


def _labels(predictor: Predictor, images: UInt8) -> NDArray[np.int64]:
    parts = (predictor.run(images[i : i + _BATCH]) for i in range(0, len(images), _BATCH))
    return np.fromiter(
        chain.from_iterable(part.probabilities.argmax(axis=1) for part in parts), np.int64, len(images)
    )


def _fastest(rows: Sequence[_Timed]) -> _Timed:
    return timing.choose(rows, times=lambda row: row.times, cost=lambda row: row.way.threads)[0]


def _speed(row: _Timed, base: _Timed) -> Speed:
    p50, p99 = row.times.p50(), row.times.p99()
    difference = timing.compare(row.times, base.times)
    low, high = difference.ratio.low, difference.ratio.high
    return Speed(
        engine=row.way.engine,
        precision=row.way.precision,
        threads=row.way.threads,
        p50=p50.value,
        p99=p99.value,
        low=p50.low,
        high=p50.high,
        ratio=float(np.exp(difference.ratio.value)),
        ratio_low=None if low is None else float(np.exp(low)),
        ratio_high=None if high is None else float(np.exp(high)),
        real=difference.real,
    )
