"""The class that is recognized worst: the one an average hides."""

import numpy as np
from numpy.typing import NDArray

from foveal.metrics.per_class import ClassScores, per_class


def worst_class(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> ClassScores:
    """Return the class with the lowest recall among those that occur in `labels`.

    Being picked from K classes makes a class look worse than it is. Its intervals are therefore exact at
    1 - 0.05 / K (Bonferroni): with probability 95 % those of all K classes hold at once, hence also those
    of the one picked. Of several classes with the same recall it is the one with the lowest lower bound.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).

    Raises:
        UsageError: The arrays are not such.
    """
    candidates = max(len(np.unique(labels)), 1)
    scores = per_class(probabilities, labels, confidence=1 - 0.05 / candidates)
    return min(scores, key=lambda one: (one.recall.value, one.recall.low))
