"""Which of the proven thresholds to take: the cheapest ones, or those that leave least to review."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.tasks.judging import Costs

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Thresholds:
    """Accept below the first, reject from the second on; None: never. The first is at most the second."""

    accept_below: float | None
    reject_from: float | None


def between(scores: Floats) -> Floats:
    """Return the thresholds that tell scores apart, rising: the middles between neighbours, (M,).

    In the middle no other rounding moves a part across. Each is above the lower score and at most the upper.
    """
    values = np.unique(scores)
    low, high = values[:-1], values[1:]
    middle = low + (high - low) / 2
    return np.where(middle > low, middle, high)


def least_review(scores: Floats, highest: float | None, above: float | None) -> Thresholds:
    """Return the thresholds that leave least to review.

    Args:
        scores: Of all parts, (N,).
        highest: Accepting is proven up to here; None: nowhere.
        above: Rejecting is proven above here; None: nowhere.

    Returns:
        What is proven of each side. Where both are proven for a score, nothing is left to review, and both
        thresholds are the middle of what is proven for both.
    """
    if highest is not None and above is not None and above < highest:
        middle = above + (highest - above) / 2
        both = middle if middle > above else highest
        return Thresholds(both, both)
    accept, reject = _candidates(scores, highest, above)
    return Thresholds(accept[-1], reject[0])


def cheapest(
    good: Floats,
    defective: Floats,
    highest: float | None,
    above: float | None,
    *,
    costs: Costs,
    defect_rate: float,
) -> Thresholds:
    """Return the proven thresholds whose decisions cost least on parts like these.

    What a part costs falls into two sums: one depends on where accepting ends, the other on where rejecting
    begins. So the best pair is found in one pass, with the lowest of the first sum so far.

    Args:
        good: Scores of good parts, (N,), N ≥ 1.
        defective: Scores of defective parts, (M,), M ≥ 1.
        highest: Accepting is proven up to here; None: nowhere.
        above: Rejecting is proven above here; None: nowhere.
        costs: Of decisions.
        defect_rate: Share of parts that are defective.

    Returns:
        Of pairs that cost the same the one that leaves least to review.
    """
    accept, reject = _candidates(np.concatenate([good, defective]), highest, above)
    low = np.array([-np.inf if one is None else one for one in accept])
    high = np.array([np.inf if one is None else one for one in reject])
    bad, fine = defect_rate, 1 - defect_rate
    accepting = bad * (costs.miss - costs.review) * _below(defective, low)
    accepting -= fine * costs.review * _below(good, low)
    rejecting = fine * costs.false_call * (1 - _below(good, high))
    rejecting += costs.review * (bad * _below(defective, high) + fine * _below(good, high))

    best: tuple[float, int, int] | None = None
    for j, end in enumerate(high):
        usable = int(np.searchsorted(low, end, side="right"))
        if usable:
            i = usable - 1 - int(np.argmin(accepting[:usable][::-1]))  # of equal ones the highest
            total = float(accepting[i] + rejecting[j])
            if best is None or total < best[0] - 1e-12 * abs(best[0]):
                best = total, i, j
    assert best is not None, "accepting nothing goes with any rejection"
    return Thresholds(accept[best[1]], reject[best[2]])


def _candidates(
    scores: Floats, highest: float | None, above: float | None
) -> tuple[list[float | None], list[float | None]]:
    """Return where accepting may end, rising, and where rejecting may begin, rising; None for never."""
    middles = between(scores)
    accept: list[float | None] = [None]
    reject: list[float | None] = [None]
    if highest is not None:
        proven = middles[middles <= highest].tolist()
        accept += proven or [highest]
    if above is not None:
        reject = [*(middles[middles > above].tolist() or [float(np.nextafter(above, np.inf))]), None]
    return accept, reject


def _below(scores: Floats, thresholds: Floats) -> Floats:
    """Return the share of scores below each threshold."""
    found: Floats = np.searchsorted(np.sort(scores), thresholds, side="left") / len(scores)
    return found
