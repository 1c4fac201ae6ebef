"""Which engine, with how many threads, runs a bundle fastest on this machine, and with the same answers?

What is timed is `Predictor.run`, the call that serves. See docs/decisions/0015-bench.md.
"""

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.bundle import timing
from foveal.bundle.footprint import Footprint, footprint
from foveal.bundle.predictor import Predictor
from foveal.bundle.session import UInt8
from foveal.bundle.timing import Difference, Times
from foveal.core import random
from foveal.core.errors import FovealError
from foveal.core.progress import Progress, silent
from foveal.core.types import Measured
from foveal.metrics.clopper_pearson import clopper_pearson

REFERENCE = "onnxruntime"  # with one thread and one picture a call: what the others are compared with
PRECISION = "fp32"
MOST_FLIPS = 0.005
_ROUNDS = 30  # aimed at; a round of heavy candidates takes what it takes
_MOST_ROUNDS = 120
_MOST_CALLS = 200  # of one candidate in one round
_WARM_SECONDS = 0.02
_LEAST_COMPARED = 32
_INPUTS = 8  # different batches that a candidate is given in turn


@dataclass(frozen=True)
class Wish:
    """What is to be measured.

    Attributes:
        engines: Files of `bundle/engines`.
        threads: Threads of one call, each at least 1, each once.
        batches: Pictures of one call, each at least 1, each once.
        seconds: For timing; a sixth of the aimed-at rounds are run, however long they take.
        seed: Of the order in which candidates take turns.
    """

    engines: Sequence[str]
    threads: Sequence[int]
    batches: Sequence[int]
    seconds: float
    seed: int = 0


@dataclass(frozen=True)
class Candidate:
    """One way to run the bundle."""

    engine: str
    threads: int
    batch: int
    precision: str = PRECISION


@dataclass(frozen=True)
class Row:
    """What was measured of one candidate.

    Attributes:
        candidate: The way to run.
        version: Name and version of the engine.
        times: Seconds a call.
        footprint: Peak memory of a process of its own.
        flips: Share of pictures that it labels otherwise than the reference.
        available_bytes: Memory that was there to be taken; None: not known.
    """

    candidate: Candidate
    version: str
    times: Times
    footprint: Footprint
    flips: Measured
    available_bytes: int | None

    @property
    def why_not(self) -> str | None:
        """Why it may not be chosen, or None."""
        peak = self.footprint.peak_bytes
        if self.footprint.error is not None:
            return self.footprint.error
        if self.flips.value > MOST_FLIPS:
            return f"it decides otherwise for {self.flips.value:.1%} of the pictures; {MOST_FLIPS:.1%} may"
        if None not in (peak, self.available_bytes) and (peak or 0) > (self.available_bytes or 0):
            return "it needs more memory than is available"
        return None


@dataclass(frozen=True)
class Choice:
    """What to take for one size of batch.

    Attributes:
        batch: Pictures a call.
        row: Of the fastest and those not really slower, the one with fewest threads, then least memory.
        equal: The others that are not really slower than the fastest.
        next: The fastest of those that are really slower, or None.
        margin: How much longer that one takes than `row`, or None.
    """

    batch: int
    row: Row
    equal: tuple[Row, ...]
    next: Row | None
    margin: Difference | None


@dataclass(frozen=True)
class Bench:
    """All that was measured.

    Attributes:
        rows: One a candidate.
        skipped: Engines that do not run the bundle here, and why.
        choices: One for each size of batch for which some candidate may be chosen.
        rounds: In which every candidate was timed under both its names.
        processor_share: Processor time over wall time while one thread ran, median; None: not measured. Below
            1, other work was on the same processors.
    """

    rows: tuple[Row, ...] = field(repr=False)
    skipped: tuple[tuple[str, FovealError], ...]
    choices: tuple[Choice, ...] = field(repr=False)
    rounds: int
    processor_share: float | None


def bench(
    bundle: Path,
    wish: Wish,
    images: UInt8,
    *,
    available_bytes: int | None = None,
    progress: Progress = silent,
) -> Bench:
    """Time every engine with every number of threads and pictures a call, in turns.

    Args:
        bundle: The file.
        wish: What to measure.
        images: At model size, uint8 (N, size, size, channels), N ≥ 1: what is run and compared.
        available_bytes: Memory that may be taken; None: not known.
        progress: Told a few times a second.

    Raises:
        NotFoundError, BundleError: There is no bundle, or the reference engine does not run it.
    """
    reference = Predictor.open(bundle, engine=REFERENCE, threads=1)
    lanes, skipped = _lanes(bundle, wish, images)
    calls = _warm_up(lanes, wish, progress)
    rounds = _rounds(lanes, calls, wish, progress)
    truth, compared = _reference_labels(reference, images, lanes, rounds, wish)
    rows = []
    for done, lane in enumerate(lanes):
        progress("memory and answers", done, len(lanes))
        candidate = lane.candidate
        taken = footprint(bundle, engine=candidate.engine, threads=candidate.threads, batch=candidate.batch)
        flips = _flips(lane.first, compared, truth, batch=candidate.batch)
        version = lane.first.session.engine
        rows.append(Row(candidate, version, rounds.times[done], taken, flips, available_bytes))
    progress("memory and answers", len(lanes), len(lanes))
    choices = [_choice(rows, batch) for batch in wish.batches]
    found = tuple(choice for choice in choices if choice is not None)
    return Bench(tuple(rows), tuple(skipped), found, rounds.count, rounds.processor_share)


@dataclass(frozen=True)
class _Lane:
    """A candidate with the two predictors that are its names, and the batches it is given."""

    candidate: Candidate
    first: Predictor
    twin: Predictor
    inputs: tuple[UInt8, ...]


@dataclass(frozen=True)
class _Rounds:
    times: tuple[Times, ...]
    count: int
    processor_share: float | None


def _lanes(bundle: Path, wish: Wish, images: UInt8) -> tuple[list[_Lane], list[tuple[str, FovealError]]]:
    lanes: list[_Lane] = []
    skipped = []
    inputs = {batch: _inputs(images, batch) for batch in wish.batches}
    for engine in wish.engines:
        try:
            for threads in wish.threads:
                first, twin = (Predictor.open(bundle, engine=engine, threads=threads) for _ in range(2))
                lanes += [
                    _Lane(Candidate(engine, threads, batch), first, twin, inputs[batch])
                    for batch in wish.batches
                ]
        except FovealError as error:
            if engine == REFERENCE:
                raise
            skipped.append((engine, error))
    return [lane for lane in lanes if lane.candidate.engine not in dict(skipped)], skipped


def _inputs(images: UInt8, batch: int) -> tuple[UInt8, ...]:
    count = min(_INPUTS, -(-len(images) // batch))
    return tuple(
        np.ascontiguousarray(images[np.arange(k * batch, (k + 1) * batch) % len(images)])
        for k in range(count)
    )


def _warm_up(lanes: Sequence[_Lane], wish: Wish, progress: Progress) -> list[int]:
    """Run every candidate until its time is steady; return how many of its calls fill its part of a round."""
    part = wish.seconds / (2 * len(lanes) * _ROUNDS)
    calls = []
    for done, lane in enumerate(lanes):
        progress("warming engines", done, len(lanes))
        call = _warm(lane, until=time.monotonic() + wish.seconds / len(lanes))
        calls.append(_fitting(part, call))
    progress("warming engines", len(lanes), len(lanes))
    return calls


def _warm(lane: _Lane, *, until: float) -> float:
    """Return the seconds of a call once they no longer change; of a busy machine, when the time is up."""
    for predictor in (lane.twin, lane.first):
        predictor.run(lane.inputs[0])  # the first call takes the memory
    medians = [float(np.median(_block(lane.first, lane.inputs, 1)))]
    while not timing.steady(medians) and time.monotonic() < until:
        count = _fitting(_WARM_SECONDS, medians[-1])
        _block(lane.twin, lane.inputs, count)
        medians.append(float(np.median(_block(lane.first, lane.inputs, count))))
    return medians[-1]


def _fitting(seconds: float, call: float) -> int:
    """Return how many calls fill a time."""
    return max(1, min(_MOST_CALLS, int(seconds / call)))


def _rounds(lanes: Sequence[_Lane], calls: Sequence[int], wish: Wish, progress: Progress) -> _Rounds:
    """Let all candidates take turns, each time in another order, until the time is used."""
    turns = list(product(range(len(lanes)), ("first", "twin")))
    seconds: dict[tuple[int, str], list[NDArray[np.float64]]] = {turn: [] for turn in turns}
    shares: list[float] = []
    started, count = time.monotonic(), 0
    with _without_collector():
        while count < timing.LEAST_ROUNDS or (
            count < _MOST_ROUNDS and time.monotonic() - started < wish.seconds
        ):
            for place in random.stream(wish.seed, "bench", count).permutation(len(turns)):
                index, name = turns[place]
                lane = lanes[index]
                predictor = lane.first if name == "first" else lane.twin
                before = time.process_time()
                times = _block(predictor, lane.inputs, calls[index])
                if lane.candidate.threads == 1:
                    shares.append((time.process_time() - before) / times.sum())
                seconds[index, name].append(times)
            count += 1
            used = min(1.0, (time.monotonic() - started) / wish.seconds)
            progress("timing", round(100 * used), 100, f"{count} rounds")
    progress("timing", 100, 100, f"{count} rounds")
    times_of = tuple(
        Times(np.stack(seconds[index, "first"]), np.stack(seconds[index, "twin"]))
        for index in range(len(lanes))
    )
    return _Rounds(times_of, count, min(1.0, float(np.median(shares))) if shares else None)


def _block(predictor: Predictor, inputs: Sequence[UInt8], count: int) -> NDArray[np.float64]:
    """Return the seconds of `count` calls, float64 (count,)."""
    found = np.empty(count, np.int64)
    for call in range(count):
        images = inputs[call % len(inputs)]
        start = time.perf_counter_ns()
        predictor.run(images)
        found[call] = time.perf_counter_ns() - start
    return np.maximum(found, 1) / 1e9


@contextmanager
def _without_collector() -> Iterator[None]:
    """Keep Python's garbage collector, which stops everything at moments of its own, out of the times."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _reference_labels(
    reference: Predictor, images: UInt8, lanes: Sequence[_Lane], rounds: _Rounds, wish: Wish
) -> tuple[NDArray[np.int64], UInt8]:
    """Return the reference's labels, and the pictures they are of: as many as the time of timing allows."""
    each = sum(
        times.p50().value / lane.candidate.batch for lane, times in zip(lanes, rounds.times, strict=True)
    )
    compared = images[: max(_LEAST_COMPARED, int(wish.seconds / each))]
    labels = [int(reference.run(image[None]).probabilities.argmax()) for image in compared]
    return np.array(labels, dtype=np.int64), compared


def _flips(predictor: Predictor, images: UInt8, truth: NDArray[np.int64], *, batch: int) -> Measured:
    parts = [images[start : start + batch] for start in range(0, len(images), batch)]
    labels = np.concatenate([predictor.run(part).probabilities.argmax(axis=1) for part in parts])
    return clopper_pearson(int((labels != truth).sum()), len(truth))


def _choice(rows: Sequence[Row], batch: int) -> Choice | None:
    allowed = [row for row in rows if row.candidate.batch == batch and row.why_not is None]
    if not allowed:
        return None
    row, *equal = timing.choose(allowed, times=lambda row: row.times, cost=_cost)
    rest = [other for other in allowed if other is not row and other not in equal]
    following = min(rest, key=lambda row: row.times.p50().value, default=None)
    margin = None if following is None else timing.compare(following.times, row.times)
    return Choice(batch, row, tuple(equal), following, margin)


def _cost(row: Row) -> tuple[int, int, float]:
    return row.candidate.threads, row.footprint.peak_bytes or 0, row.times.p50().value
