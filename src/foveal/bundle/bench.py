"""Which engine, with how many threads, runs a bundle fastest on this machine, and with the same answers?

What is timed is `Predictor.run`, the call that serves. See docs/decisions/0015-bench.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.bundle import timing
from foveal.bundle.footprint import Footprint, footprint
from foveal.bundle.predictor import Predictor
from foveal.bundle.session import UInt8
from foveal.bundle.timing import Difference, Times
from foveal.bundle.turns import Lane, take_turns
from foveal.core.errors import FovealError
from foveal.core.progress import Progress, silent
from foveal.core.types import Measured
from foveal.metrics.clopper_pearson import clopper_pearson

REFERENCE = "onnxruntime"  # with one thread and one picture a call: what the others are compared with
PRECISION = "fp32"
MOST_FLIPS = 0.005
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
        processor_share: As in `Turns`.
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
    turns = take_turns(list(lanes.values()), seconds=wish.seconds, seed=wish.seed, progress=progress)
    times = dict(zip(lanes, turns.times, strict=True))
    truth, compared = _reference_labels(reference, images, times, seconds=wish.seconds)
    rows = []
    for done, (candidate, lane) in enumerate(lanes.items()):
        progress("memory and answers", done, len(lanes))
        taken = footprint(bundle, engine=candidate.engine, threads=candidate.threads, batch=candidate.batch)
        flips = _flips(lane.first, compared, truth, batch=candidate.batch)
        version = lane.first.session.engine
        rows.append(Row(candidate, version, times[candidate], taken, flips, available_bytes))
    progress("memory and answers", len(lanes), len(lanes))
    choices = [_choice(rows, batch) for batch in wish.batches]
    found = tuple(choice for choice in choices if choice is not None)
    return Bench(tuple(rows), tuple(skipped), found, turns.rounds, turns.processor_share)


def _lanes(
    bundle: Path, wish: Wish, images: UInt8
) -> tuple[dict[Candidate, Lane], list[tuple[str, FovealError]]]:
    """Return what can be timed, and the engines that do not run the bundle."""
    lanes = {}
    skipped = []
    inputs = {batch: _inputs(images, batch) for batch in wish.batches}
    for engine in wish.engines:
        found = {}
        try:
            for threads in wish.threads:
                first, twin = (Predictor.open(bundle, engine=engine, threads=threads) for _ in range(2))
                for batch in wish.batches:
                    found[Candidate(engine, threads, batch)] = Lane(first, twin, threads, inputs[batch])
        except FovealError as error:
            if engine == REFERENCE:
                raise
            skipped.append((engine, error))
        else:
            lanes.update(found)
    return lanes, skipped


def _inputs(images: UInt8, batch: int) -> tuple[UInt8, ...]:
    count = min(_INPUTS, -(-len(images) // batch))
    return tuple(
        np.ascontiguousarray(images[np.arange(k * batch, (k + 1) * batch) % len(images)])
        for k in range(count)
    )


def _reference_labels(
    reference: Predictor, images: UInt8, times: Mapping[Candidate, Times], *, seconds: float
) -> tuple[NDArray[np.int64], UInt8]:
    """Return the reference's labels, and the pictures they are of: as many as so much time allows."""
    each = sum(found.p50().value / candidate.batch for candidate, found in times.items())
    compared = images[: max(_LEAST_COMPARED, int(seconds / each))]
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
