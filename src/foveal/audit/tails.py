"""How far the bulk of some numbers reaches; what lies beyond does not look like a part of it.

One null for all that flags by it: the numbers fall off on both sides of their median at least as fast as an
exponential, as normal ones do. Then anything at all is flagged with a chance of 1 %, for any N.
Source: Rényi, "On the theory of order statistics", 1953: the gaps of ordered exponentials are independent.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHANCE = 0.01  # that anything at all is flagged where nothing should be
FEWEST = 20  # numbers, before their bulk is known


@dataclass(frozen=True)
class Bulk:
    """Where most of some numbers lie.

    Attributes:
        middle: Their median.
        below, above: How far the bulk reaches to either side; 0 where there is nothing.
    """

    middle: float
    below: float
    above: float

    def distances(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return how far out each value lies, as a multiple of where the bulk ends on its side, float64 (N,).

        Negative below the middle; outside are values beyond 1 and -1, without limit where there is no bulk.
        """
        deviations = values.astype(np.float64) - self.middle
        ends = np.where(deviations < 0, self.below, self.above)
        found = np.where(deviations == 0, 0.0, np.copysign(np.inf, deviations))
        return np.divide(deviations, ends, out=found, where=ends > 0)


def bulk(values: NDArray[np.floating], *, heaps: int = 1) -> Bulk:
    """Return where the bulk of numbers ends, by the median distances on either side of their median.

    Those far out hardly move it as long as they are fewer than the others on their side.

    Args:
        values: Finite numbers, (N,), N ≥ 1.
        heaps: In so many of them together anything is to be outside with that chance.
    """
    middle = float(np.median(values))
    deviations = values.astype(np.float64) - middle
    below, above = (_end(np.sort(side[side > 0]), heaps) for side in (-deviations, deviations))
    return Bulk(middle, below, above)


def _end(distances: NDArray[np.float64], heaps: int) -> float:
    if not len(distances):
        return 0.0
    rank = (len(distances) + 1) // 2
    return float(distances[rank - 1]) * _reach(len(distances), rank, CHANCE / (2 * heaps))


def _reach(n: int, rank: int, chance: float) -> float:
    """Return the multiple of the `rank`-th of n ordered exponentials that any exceeds with at most `chance`.

    Those above it lie above it by fresh exponentials. One lies t times as far out with probability
    E[exp(-(t - 1) X)] = Π j / (j + t - 1), j from n - rank + 1 to n, X being the `rank`-th.
    """
    above = np.arange(n - rank + 1, n + 1)
    wanted = math.log(chance / max(1, n - rank))
    low, high = 0.0, 1.0
    while -np.log1p(high / above).sum() > wanted:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if -np.log1p(middle / above).sum() > wanted else (low, middle)
    return 1 + high
