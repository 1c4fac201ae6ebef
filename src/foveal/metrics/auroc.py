"""The probability that a score ranks a member of one group above a member of the other.

Source: DeLong, DeLong & Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
characteristic curves", Biometrics 1988; by midranks: Sun & Xu, "Fast implementation of DeLong's algorithm",
2014; the interval on the logit scale: Pepe, "The Statistical Evaluation of Medical Tests", 2003.
"""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.metrics._two_groups import two_groups
from foveal.metrics.clopper_pearson import clopper_pearson


def auroc(higher: NDArray[np.floating], lower: NDArray[np.floating], confidence: float = 0.95) -> Measured:
    """Return the area under the receiver operating characteristic, 0.5 for a score that says nothing.

    Where the variance cannot be estimated (one group has one member, or nothing is ranked wrongly) the
    interval is the exact one of as many independent pairs as can be formed.

    Args:
        higher: Scores of the group that should have the higher ones, (M,), M ≥ 1, finite: of unknown images.
        lower: Scores of the other, (N,), N ≥ 1.
        confidence: Probability with which the interval covers the truth, in (0, 1).

    Returns:
        `n` is M + N. Equal scores count half.

    Raises:
        UsageError: The scores or the confidence are not such.
    """
    above, below = two_groups(higher, lower)
    if not 0 < confidence < 1:
        raise UsageError(f"confidence must be in (0, 1); got {confidence}")
    value, variance = delong(above, below)
    n, pairs = len(above) + len(below), min(len(above), len(below))
    if pairs < 2 or variance <= 0 or not 0 < value < 1:
        exact = clopper_pearson(value * pairs, pairs, confidence)
        return Measured(value, exact.low, exact.high, n, "independent-pairs")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle, width = math.log(value / (1 - value)), z * math.sqrt(variance) / (value * (1 - value))
    low, high = (_logistic(end) for end in (middle - width, middle + width))
    return Measured(value, low, high, n, "delong-logit")


def _logistic(x: float) -> float:
    """Return 1 / (1 + e^-x) without overflow."""
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


def delong(above: NDArray[np.float64], below: NDArray[np.float64]) -> tuple[float, float]:
    """Return the area and DeLong's variance of it; 0 where a group has one member.

    The placement of a score is the share of the other group that it is on the right side of; the variance is
    the sum of both groups' variances of it, each divided by the group's size.
    """
    up, down = _placements(above, below), 1 - _placements(below, above)
    variance = sum(float(p.var(ddof=1)) / len(p) for p in (up, down) if len(p) > 1)
    return float(up.mean()), variance


def _placements(scores: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each score the share of the others below it, equal ones half, (M,)."""
    ordered = np.sort(others)
    less = np.searchsorted(ordered, scores, side="left")
    up_to = np.searchsorted(ordered, scores, side="right")
    shares: NDArray[np.float64] = (less + up_to) / (2 * len(ordered))
    return shares
