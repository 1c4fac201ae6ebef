"""The calibration error without what chance adds to it.

Source: Kumar, Liang & Ma, "Verified Uncertainty Calibration", NeurIPS 2019, §5: from each bin's
squared error the variance of its share of right answers is taken away. https://arxiv.org/abs/1909.10155
"""

import numpy as np
from numpy.typing import NDArray

from foveal.metrics._arrays import check
from foveal.metrics.adaptive_ece import equal_mass
from foveal.metrics.ece import BINS


def debiased_ece(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], *, bins: int = BINS
) -> float:
    """Return the root of Σ over bins (n_bin / N) ((accuracy - confidence)² - variance), in [0, 1].

    Where chance explains more than all of it, the sum is negative and 0 is returned. A bin with one image has
    no variance, and counts as 0. The error is quadratic: it is larger than the ECE of the same bins.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).
        bins: How many bins of equal mass.

    Raises:
        UsageError: The arrays are not such.
    """
    return float(np.sqrt(max(squared(probabilities, labels, bins=bins), 0.0)))


def squared(probabilities: NDArray[np.floating], labels: NDArray[np.integer], *, bins: int = BINS) -> float:
    """Return the sum before its root is taken; over data sets its mean is the true squared error, also 0."""
    check(probabilities, labels)
    confidence = probabilities.max(axis=1).astype(np.float64)
    return squared_gap(confidence, probabilities.argmax(axis=1) == labels, bins=bins)


def squared_gap(confidence: NDArray[np.float64], correct: NDArray[np.bool_], *, bins: int = BINS) -> float:
    """Return the same sum for answers of any kind.

    Args:
        confidence: How sure each answer is, (N,), N ≥ 1.
        correct: Whether it is right, (N,).
        bins: How many bins of equal mass.
    """
    which = equal_mass(confidence, bins)
    counts, right, total = (
        np.bincount(which, weights=weights, minlength=bins).astype(np.float64)
        for weights in (None, correct, confidence)
    )
    used = counts > 1
    counts, right, total = counts[used], right[used], total[used]
    share = right / counts
    terms = (share - total / counts) ** 2 - share * (1 - share) / (counts - 1)
    return float((counts * terms).sum() / len(confidence))
