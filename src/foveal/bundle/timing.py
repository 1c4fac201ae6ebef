"""What measured times say, and what they do not: pure functions on arrays of seconds.

Every candidate is timed under two names, in the same rounds. What these two twins differ by (the A/A
difference) is what the method cannot tell apart: a smaller difference between two candidates means nothing,
and none below 3 % does.
Comparisons are made within rounds, so that what slows the whole machine down for a while hits both sides.
See docs/decisions/0015-bench.md.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.metrics.quantile import Quantile, quantile

Floats = NDArray[np.float64]
Row = TypeVar("Row")

LEAST_ROUNDS = 6  # below, an interval of the median at 95 % does not exist
_MOST_CALLS = 200  # of one candidate in one round
_STEADY = 3  # blocks in a row
_WITHIN = 0.05
# Two sessions of one file lie elsewhere in memory, and stay faster or slower by it as long as they live
# (Mytkowicz et al., "Producing Wrong Data Without Doing Anything Obviously Wrong!", 2009). Twins are two of
# them and bound that badly: of 360 comparisons of a tiny file with itself 30 lay above its own floors, by up
# to 1.4 %.
LEAST_FLOOR = 0.03


@dataclass(frozen=True)
class Times:
    """The times of one candidate.

    Attributes:
        first, twin: Seconds a call, float (R, B): B calls in each of R rounds, under its two names.
    """

    first: Floats = field(repr=False)
    twin: Floats = field(repr=False)

    def __post_init__(self) -> None:
        if self.first.ndim != 2 or self.first.shape != self.twin.shape or len(self.first) < LEAST_ROUNDS:
            raise UsageError(
                f"need seconds (R, B) of both names, R ≥ {LEAST_ROUNDS}; "
                f"got {self.first.shape} and {self.twin.shape}"
            )

    @property
    def calls(self) -> int:
        """How many calls were timed."""
        return self.first.size + self.twin.size

    @property
    def of_rounds(self) -> Floats:
        """The median of each round's calls in seconds, float (R,)."""
        medians: Floats = np.median(np.concatenate([self.first, self.twin], axis=1), axis=1)
        return medians

    def p50(self) -> Quantile:
        """Return the median of the rounds' medians; calls within a round are not independent."""
        return quantile(self.of_rounds, 0.5)

    def p99(self) -> Quantile:
        """Return what one call in 100 exceeds; its interval takes calls as independent."""
        return quantile(np.concatenate([self.first, self.twin], axis=None), 0.99)

    def noise(self) -> Quantile:
        """Return the A/A difference: log of first over twin, median over rounds; ideally 0."""
        return _log_ratio(np.median(self.first, axis=1), np.median(self.twin, axis=1))

    def floor(self) -> float:
        """Return what the twins may differ by: the far end of the A/A interval."""
        found = self.noise()
        return max(abs(end) for end in (found.value, found.low, found.high) if end is not None)


@dataclass(frozen=True)
class Difference:
    """How much longer one candidate takes than another.

    Attributes:
        ratio: The log of the quotient of their times.
        floor: The larger of their A/A floors, at least `LEAST_FLOOR`; a log as well.
        real: The interval of the ratio excludes 0, and the ratio lies above the floor.
    """

    ratio: Quantile
    floor: float
    real: bool

    def as_json(self) -> dict[str, Any]:
        """Return quotients minus 1: 0.25 where it takes a quarter longer."""
        low, high = self.ratio.low, self.ratio.high
        return {
            "value": math.expm1(self.ratio.value),
            "low": None if low is None else math.expm1(low),
            "high": None if high is None else math.expm1(high),
            "n": self.ratio.n,
            "method": self.ratio.method,
            "noise_share": math.expm1(self.floor),
            "real": self.real,
        }


def compare(slower: Times, faster: Times) -> Difference:
    """Return how much longer one takes than the other, round by round, and whether that is a real difference.

    Args:
        slower: Times in R rounds.
        faster: Times in the same R rounds.
    """
    ratio = _log_ratio(slower.of_rounds, faster.of_rounds)
    floor = max(LEAST_FLOOR, slower.floor(), faster.floor())
    excluded = ratio.low is not None and ratio.high is not None and (ratio.low > 0 or ratio.high < 0)
    return Difference(ratio, floor, excluded and abs(ratio.value) > floor)


def choose(rows: Sequence[Row], *, times: Callable[[Row], Times], cost: Callable[[Row], Any]) -> list[Row]:
    """Return the fastest and all that are not really slower, the one to take first.

    Args:
        rows: The candidates that may be chosen, at least one, timed in the same rounds.
        times: Gives a candidate's times.
        cost: Orders those that are equally fast, the cheapest first: threads, then memory.
    """
    fastest = min(rows, key=lambda row: times(row).p50().value)
    equal = [row for row in rows if row is fastest or not compare(times(row), times(fastest)).real]
    return sorted(equal, key=cost)


def calls_in(seconds: float, call: float) -> int:
    """Return how many calls of so many seconds fill a time, from 1 to 200."""
    return max(1, min(_MOST_CALLS, int(seconds / max(call, 1e-9))))


def steady(medians: Sequence[float]) -> bool:
    """Return whether the last three blocks of a warm-up took the same time, within 5 %."""
    last = medians[-_STEADY:]
    return len(last) == _STEADY and max(last) <= min(last) * (1 + _WITHIN)


def _log_ratio(above: Floats, below: Floats) -> Quantile:
    return quantile(np.log(above) - np.log(below), 0.5)
