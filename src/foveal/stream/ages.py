"""How old results are when they are told: of all of them, of the first minute and of the last."""

import math
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

import numpy as np

_WINDOW_S = 60.0
_MOST = 20_000  # ages of a window that are kept: a film is answered far faster than a camera sends
_STEPS = 200  # of the scale of all ages, in each power of e: quantiles are exact to half a percent
_LEAST_MS = 1e-3


@dataclass(frozen=True)
class Spread:
    """Median, 99th percentile and largest age in milliseconds."""

    p50: float
    p99: float
    largest: float

    def as_json(self) -> dict[str, Any]:
        """Return them with three decimals."""
        return {"p50": round(self.p50, 3), "p99": round(self.p99, 3), "max": round(self.largest, 3)}


class Ages:
    """Takes in ages; its memory does not grow with their number."""

    def __init__(self) -> None:
        """Begin with none."""
        self._scale: Counter[int] = Counter()
        self._largest = 0.0
        self._start: float | None = None
        self._first: list[float] = []
        self._latest: deque[tuple[float, float]] = deque(maxlen=_MOST)

    def add(self, now: float, age_ms: float) -> None:
        """Take in one age.

        Args:
            now: When the result was told, in seconds of the monotonic clock.
            age_ms: At least 0.
        """
        if self._start is None:
            self._start = now
        if now - self._start < _WINDOW_S and len(self._first) < _MOST:
            self._first.append(age_ms)
        self._latest.append((now, age_ms))
        while now - self._latest[0][0] > _WINDOW_S:
            self._latest.popleft()
        self._scale[round(math.log(max(age_ms, _LEAST_MS)) * _STEPS)] += 1
        self._largest = max(self._largest, age_ms)

    def all(self) -> Spread | None:
        """Return the spread of all ages, the percentiles to half a percent; None where there are none."""
        if not self._scale:
            return None
        steps = sorted(self._scale)
        reached = np.cumsum([self._scale[step] for step in steps])
        p50, p99 = (
            min(self._largest, math.exp(steps[int(np.searchsorted(reached, share * reached[-1]))] / _STEPS))
            for share in (0.5, 0.99)
        )
        return Spread(p50, p99, self._largest)

    def first_minute(self) -> Spread | None:
        """Return the spread in the first minute."""
        return _spread(self._first)

    def last_minute(self, now: float = -math.inf) -> Spread | None:
        """Return the spread in the last minute before the last age or, where that is later, before `now`."""
        return _spread([age for when, age in self._latest if now - when <= _WINDOW_S])


def _spread(ages: list[float]) -> Spread | None:
    if not ages:
        return None
    p50, p99 = np.percentile(ages, (50, 99))
    return Spread(float(p50), float(p99), max(ages))
