"""Time several predictors in turns, each under two names, so that what slows the machine down hits all.

See `bundle.timing` for what the times say, and docs/decisions/0015-bench.md.
"""

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from foveal.bundle import timing
from foveal.bundle.answering import Asks
from foveal.bundle.session import UInt8
from foveal.bundle.timing import Times
from foveal.core import random
from foveal.core.progress import Progress, silent

Answering = TypeVar("Answering", bound=Asks)

_ROUNDS = 30  # aimed at; a round of heavy lanes takes what it takes
_MOST_ROUNDS = 120
_WARM_SECONDS = 0.02
_FINE = 1e-4  # seconds; a clock of processor time that is coarser says nothing of one turn


@dataclass(frozen=True)
class Lane(Generic[Answering]):
    """What is timed.

    Attributes:
        first, twin: The same predictor, opened twice: its two names.
        threads: That one call of it uses.
        inputs: Batches that it is given in turn, at least one, uint8 (B, size, size, channels).
    """

    first: Answering
    twin: Answering
    threads: int
    inputs: tuple[UInt8, ...]


@dataclass(frozen=True)
class Turns:
    """What was timed.

    Attributes:
        times: Of each lane.
        rounds: In which every lane had a turn under both its names.
        processor_share: Processor time over wall time while one thread ran, median; None: not measured. Below
            1, other work was on the same processors.
        processor: Of each lane the processor time of a call in seconds, all threads of this process together,
            the mean of each round's, float64 (R,); None where the clock of it is too coarse.
    """

    times: tuple[Times, ...]
    rounds: int
    processor_share: float | None
    processor: tuple[NDArray[np.float64], ...] | None = None


def take_turns(
    lanes: Sequence[Lane[Any]], *, seconds: float, seed: int = 0, progress: Progress = silent
) -> Turns:
    """Warm every lane until its time is steady, then let all take turns, each round in another order.

    Args:
        lanes: At least one.
        seconds: For timing, and at most as much again for warming; a sixth of the aimed-at rounds are run,
            however long they take.
        seed: Of the order in each round.
        progress: Told a few times a second.
    """
    calls = _warm_up(lanes, seconds, progress)
    turns = list(product(range(len(lanes)), ("first", "twin")))
    times: dict[tuple[int, str], list[NDArray[np.float64]]] = {turn: [] for turn in turns}
    shares: list[float] = []
    processor: list[list[float]] = [[] for _ in turns]
    started, count = time.monotonic(), 0
    with _without_collector():
        while count < timing.LEAST_ROUNDS or (count < _MOST_ROUNDS and time.monotonic() - started < seconds):
            for place in random.stream(seed, "bench", count).permutation(len(turns)):
                index, name = turns[place]
                lane = lanes[index]
                predictor = lane.first if name == "first" else lane.twin
                before = time.process_time()
                found = _block(predictor, lane.inputs, calls[index])
                spent = time.process_time() - before
                if lane.threads == 1:
                    shares.append(spent / found.sum())
                processor[place].append(spent / len(found))
                times[index, name].append(found)
            count += 1
            used = min(1.0, (time.monotonic() - started) / seconds)
            progress("timing", round(100 * used), 100, f"{count} rounds")
    progress("timing", 100, 100, f"{count} rounds")
    of_lanes = tuple(
        Times(np.stack(times[index, "first"]), np.stack(times[index, "twin"])) for index in range(len(lanes))
    )
    share = min(1.0, float(np.median(shares))) if shares else None
    return Turns(of_lanes, count, share, _of_rounds(processor))


def _of_rounds(processor: Sequence[Sequence[float]]) -> tuple[NDArray[np.float64], ...] | None:
    """Return the mean of both names of each lane in each round, where the clock is fine enough."""
    if time.get_clock_info("process_time").resolution > _FINE:
        return None
    found = np.array(processor)  # (2 * lanes, R): the two names of a lane follow each other, as in `turns`
    return tuple(found.reshape(-1, 2, found.shape[1]).mean(axis=1))


def _warm_up(lanes: Sequence[Lane[Any]], seconds: float, progress: Progress) -> list[int]:
    """Run every lane until its time is steady; return how many of its calls fill its part of a round."""
    part = seconds / (2 * len(lanes) * _ROUNDS)
    calls = []
    for done, lane in enumerate(lanes):
        progress("warming engines", done, len(lanes))
        call = _warm(lane, until=time.monotonic() + seconds / len(lanes))
        calls.append(timing.calls_in(part, call))
    progress("warming engines", len(lanes), len(lanes))
    return calls


def _warm(lane: Lane[Any], *, until: float) -> float:
    """Return the seconds of a call once they no longer change; of a busy machine, when the time is up."""
    for predictor in (lane.twin, lane.first):
        predictor.ask(lane.inputs[0])  # the first call takes the memory
    medians = [float(np.median(_block(lane.first, lane.inputs, 1)))]
    while not timing.steady(medians) and time.monotonic() < until:
        count = timing.calls_in(_WARM_SECONDS, medians[-1])
        _block(lane.twin, lane.inputs, count)
        medians.append(float(np.median(_block(lane.first, lane.inputs, count))))
    return medians[-1]


def _block(predictor: Asks, inputs: Sequence[UInt8], count: int) -> NDArray[np.float64]:
    """Return the seconds of `count` calls, float64 (count,)."""
    found = np.empty(count, np.int64)
    for call in range(count):
        images = inputs[call % len(inputs)]
        start = time.perf_counter_ns()
        predictor.ask(images)
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
