"""How often two pictures are taken for one when they are not, and the reverse, at each threshold.

Source: ISO/IEC 19795-1:2021, where they are false match and false non-match rate.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


class ErrorRates(NamedTuple):
    """At each threshold, both rates of the pairs with a score at or above it, which are accepted.

    Attributes:
        thresholds: Every score that occurs, ascending, and one above all, (T,).
        false_accepts: Share of the pairs of different ones that are accepted, (T,), falling from 1 to 0.
        false_rejects: Share of the pairs of the same that are not, (T,), rising from 0 to 1.
    """

    thresholds: Float64
    false_accepts: Float64
    false_rejects: Float64


def error_rates(
    same: NDArray[np.floating],
    different: NDArray[np.floating],
    *,
    same_weights: NDArray[np.floating] | None = None,
    different_weights: NDArray[np.floating] | None = None,
) -> ErrorRates:
    """Return the error rates at every threshold.

    Args:
        same: Scores of pairs of the same, (M,), M ≥ 1, finite.
        different: Of pairs of different ones, (N,), N ≥ 1.
        same_weights: How often each pair of the same counts; None: once.
        different_weights: How often each of the others does.
    """
    thresholds = np.append(np.unique(np.concatenate([same, different])), np.inf).astype(np.float64)
    rejected = _below(same, same_weights, thresholds)
    accepted = 1 - _below(different, different_weights, thresholds)
    return ErrorRates(thresholds, accepted.clip(0, 1), rejected.clip(0, 1))


def _below(scores: NDArray[np.floating], weights: NDArray[np.floating] | None, at: Float64) -> Float64:
    """Return the share of the scores below each threshold."""
    order = np.argsort(scores, kind="stable")
    counted = np.ones(len(scores)) if weights is None else np.asarray(weights, np.float64)[order]
    total = np.concatenate([[0.0], np.cumsum(counted)])
    share: Float64 = total[np.searchsorted(np.asarray(scores)[order], at, side="left")] / total[-1]
    return share
