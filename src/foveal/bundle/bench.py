"""Which engine, precision and number of threads run a bundle fastest on this machine, with the same answers?

What is timed is `Predictor.ask`, the call that serves. See docs/decisions/0015-bench.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from foveal.bundle import timing, ways
from foveal.bundle.agreement import Flips, compared, flips
from foveal.bundle.footprint import Footprint, footprint
from foveal.bundle.predictor import Predictor
from foveal.bundle.session import Answers, UInt8, joined
from foveal.bundle.timing import Difference, Times
from foveal.bundle.turns import Lane, take_turns
from foveal.bundle.ways import MOST_FLIPS_OF, REFERENCE, Way
from foveal.core.errors import FovealError
from foveal.core.progress import Progress, silent

PRECISION = (
    "fp32"  # of ONNX Runtime with one thread and one picture a call: what the others are compared with
)
_LEAST_COMPARED = 32
_INPUTS = 8  # different batches that a candidate is given in turn


@dataclass(frozen=True)
class Wish:
    """What is to be measured.

    Attributes:
        engines: Files of `bundle/engines`; each is measured in all its precisions.
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
    """One way to run the bundle, for one number of pictures a call."""

    way: Way
    batch: int


@dataclass(frozen=True)
class Skipped:
    """A way in which the bundle does not run here.

    Attributes:
        engine: Its file.
        candidate: What was tried, or None where the engine itself is not there.
        error: Why not.
    """

    engine: str
    candidate: Candidate | None
    error: FovealError


@dataclass(frozen=True)
class Row:
    """What was measured of one candidate.

    Attributes:
        candidate: The way to run.
        version: Name and version of the engine.
        precision: In which the graph is computed, as `Predictor.precision` calls it.
        times: Seconds a call.
        footprint: Peak memory of a process of its own.
        flips: What it decides otherwise than the reference.
        available_bytes: Memory that was there to be taken; None: not known.
    """

    candidate: Candidate
    version: str
    precision: str
    times: Times
    footprint: Footprint
    flips: Flips
    available_bytes: int | None

    @property
    def why_not(self) -> str | None:
        """Why it may not be chosen, or None."""
        peak = self.footprint.peak_bytes
        share, most = self.flips.share.value, MOST_FLIPS_OF[self.flips.unit]
        if share > most:
            return f"it decides otherwise for {share:.1%} of the {self.flips.unit}; {most:.1%} may"
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
        skipped: What does not run the bundle here, and why.
        choices: One for each size of batch for which some candidate may be chosen.
        rounds: In which every candidate was timed under both its names.
        processor_share: As in `Turns`.
        compared: On how many pictures answers were compared.
    """

    rows: tuple[Row, ...] = field(repr=False)
    skipped: tuple[Skipped, ...]
    choices: tuple[Choice, ...] = field(repr=False)
    rounds: int
    processor_share: float | None
    compared: int


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
    reference = Predictor.open(bundle, engine=REFERENCE, precision=PRECISION, threads=1)
    taken, skipped = _footprints(bundle, wish, progress)
    lanes = _lanes(bundle, taken, images)
    turns = take_turns(list(lanes.values()), seconds=wish.seconds, seed=wish.seed, progress=progress)
    times = dict(zip(lanes, turns.times, strict=True))
    some = _compared_on(images, times, seconds=wish.seconds)
    truth = _answers(reference, some, batch=1)
    rows = []
    for done, (candidate, lane) in enumerate(lanes.items()):
        progress("answers", done, len(lanes))
        answers = _answers(lane.first, some, batch=candidate.batch)
        differs = flips(reference.manifest, truth, answers)
        named = lane.first.session.engine, lane.first.precision
        rows.append(Row(candidate, *named, times[candidate], taken[candidate], differs, available_bytes))
    progress("answers", len(lanes), len(lanes))
    choices = [_choice(rows, batch) for batch in wish.batches]
    found = tuple(choice for choice in choices if choice is not None)
    return Bench(tuple(rows), tuple(skipped), found, turns.rounds, turns.processor_share, len(some))


def fastest(found: Bench) -> tuple[Way, ...]:
    """Return what to take for one picture a call: of all ways first, then of each other number of threads.

    Empty where one picture a call was not measured, or nothing may be chosen.
    """
    first = next((choice.row.candidate.way for choice in found.choices if choice.batch == 1), None)
    if first is None:
        return ()
    counts = dict.fromkeys(row.candidate.way.threads for row in found.rows)
    choices = [
        _choice([row for row in found.rows if row.candidate.way.threads == count], 1)
        for count in counts
        if count != first.threads
    ]
    return (first, *(choice.row.candidate.way for choice in choices if choice is not None))


def _footprints(
    bundle: Path, wish: Wish, progress: Progress
) -> tuple[dict[Candidate, Footprint], list[Skipped]]:
    """Run every candidate in a process of its own: what crashes there is not run in this one."""
    candidates, skipped = _candidates(wish)
    found = {}
    for done, candidate in enumerate(candidates):
        progress("memory", done, len(candidates))
        taken = footprint(bundle, candidate.way, batch=candidate.batch)
        if taken.error is None:
            found[candidate] = taken
        elif candidate.way.engine == REFERENCE:
            raise taken.error
        else:
            skipped.append(Skipped(candidate.way.engine, candidate, taken.error))
    progress("memory", len(candidates), len(candidates))
    return found, skipped


def _candidates(wish: Wish) -> tuple[list[Candidate], list[Skipped]]:
    """Return what is to be tried, and the engines that are not there."""
    candidates = []
    skipped = []
    for engine in wish.engines:
        try:
            known = ways.precisions(engine)
        except FovealError as error:
            skipped.append(Skipped(engine, None, error))
            continue
        candidates += [
            Candidate(Way(engine, precision, threads), batch)
            for precision in known
            for threads in wish.threads
            for batch in wish.batches
        ]
    return candidates, skipped


def _lanes(bundle: Path, taken: Iterable[Candidate], images: UInt8) -> dict[Candidate, Lane[Predictor]]:
    """Open each way twice, for all its sizes of batch."""
    opened: dict[Way, tuple[Predictor, Predictor]] = {}
    lanes = {}
    for candidate in taken:
        way = candidate.way
        if way not in opened:
            opened[way] = _opened(bundle, way), _opened(bundle, way)
        lanes[candidate] = Lane(*opened[way], way.threads, _inputs(images, candidate.batch))
    return lanes


def _opened(bundle: Path, way: Way) -> Predictor:
    return Predictor.open(bundle, engine=way.engine, precision=way.precision, threads=way.threads)


def _inputs(images: UInt8, batch: int) -> tuple[UInt8, ...]:
    count = min(_INPUTS, -(-len(images) // batch))
    return tuple(
        np.ascontiguousarray(images[np.arange(k * batch, (k + 1) * batch) % len(images)])
        for k in range(count)
    )


def _compared_on(images: UInt8, times: Mapping[Candidate, Times], *, seconds: float) -> UInt8:
    """Return the pictures on which answers are compared: as many as so much time allows."""
    each = sum(found.p50().value / candidate.batch for candidate, found in times.items())
    return images[: max(_LEAST_COMPARED, int(seconds / each))]


def _answers(predictor: Predictor, images: UInt8, *, batch: int) -> Answers:
    """Return what is compared of the answers for pictures, so many a call."""
    starts = range(0, len(images), batch)
    return joined([compared(predictor.ask(images[start : start + batch])) for start in starts])


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
    return row.candidate.way.threads, row.footprint.peak_bytes or 0, row.times.p50().value
