"""Whether answers given with 90 % confidence are right in 90 % of cases: the reliability diagram.

Source: DeGroot & Fienberg, "The comparison and evaluation of forecasters", 1983.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.metrics._arrays import check
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.metrics.ece import BINS, bin_of


@dataclass(frozen=True)
class ReliabilityBin:
    """The images whose confidence is in (low, high].

    Attributes:
        low, high: The bin.
        n: Its images, at least 1.
        confidence: Their mean confidence.
        accuracy: Share of them that is right.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: Measured


def reliability(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], *, bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """Return confidence and accuracy of every bin of equal width that holds an image.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).
        bins: Bins of equal width over (0, 1], as in `ece`.

    Raises:
        UsageError: The arrays are not such.
    """
    check(probabilities, labels)
    confidence = probabilities.max(axis=1).astype(np.float64)
    which = bin_of(confidence, bins)
    correct = probabilities.argmax(axis=1) == labels
    counts, right, total = (
        np.bincount(which, weights=weights, minlength=bins) for weights in (None, correct, confidence)
    )
    return tuple(
        ReliabilityBin(
            low=float(b / bins),
            high=float((b + 1) / bins),
            n=int(counts[b]),
            confidence=float(total[b] / counts[b]),
            accuracy=clopper_pearson(int(right[b]), int(counts[b])),
        )
        for b in np.flatnonzero(counts)
    )
