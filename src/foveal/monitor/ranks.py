"""A bag of scores that says where a new one ranks, in a memory that does not grow with their number.

Scores are rounded to three significant digits first (`tasks.classify.reference.rounded`). There are so few
different ones between 1e-12 and 1e12, with either sign, that a table of counts holds them all; sums over it
are kept in a tree. Source: Fenwick, "A New Data Structure for Cumulative Frequency Tables", 1994.
"""

import math

from foveal.core.errors import UsageError
from foveal.tasks.classify.reference import rounded

_LOWEST, _HIGHEST = -12, 12  # powers of ten
_STEPS = 900  # scores of three digits in a decade: 1.00 to 9.99
_SIDE = (_HIGHEST - _LOWEST) * _STEPS  # positive ones
_CELLS = 2 * _SIDE + 1
_LARGEST = 9.99e11


class Ranks:
    """How many scores of a bag are above another, and how many equal to it; not thread-safe by itself."""

    def __init__(self) -> None:
        self._tree = [0] * (_CELLS + 1)
        self._counts: dict[float, int] = {}
        self.total = 0

    def add(self, score: float, times: int = 1) -> None:
        """Put a score in, `times` ≥ 1 times."""
        score = _kept(score)
        index = _cell(score)
        self._counts[score] = self._counts.get(score, 0) + times
        self.total += times
        while index <= _CELLS:
            self._tree[index] += times
            index += index & -index

    def above_and_equal(self, score: float) -> tuple[int, int]:
        """Return how many scores of the bag are larger, and how many as large."""
        score = _kept(score)
        index, upto = _cell(score), 0
        while index:
            upto += self._tree[index]
            index -= index & -index
        return self.total - upto, self._counts.get(score, 0)

    def counts(self) -> list[list[float]]:
        """Return [score, how many] for every different one, in rising order."""
        return [[score, count] for score, count in sorted(self._counts.items())]


def _kept(score: float) -> float:
    """Return the score as the table knows it: rounded, and never beyond its ends."""
    if not math.isfinite(score):
        raise UsageError(f"a score is a finite number; got {score}", code="bad_score")
    return max(-_LARGEST, min(rounded(score), _LARGEST))


def _cell(score: float) -> int:
    """Return the place of a kept score in the table, 1 to `_CELLS`, rising with it."""
    if score == 0:
        return _SIDE + 1
    digits, _, power = f"{abs(score):.2e}".partition("e")
    place = (int(power) - _LOWEST) * _STEPS + round(float(digits) * 100) - 99
    return _SIDE + 1 + (place if score > 0 else -place)
