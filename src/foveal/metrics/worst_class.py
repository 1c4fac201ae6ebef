"""The class that is recognized worst: the one an average hides."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from foveal.metrics.per_class import ClassScores, per_class


def worst_class(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> ClassScores:
    """Return the class with the lowest recall among those that occur in `labels`.

    Being picked from K classes makes a class look worse than it is, and a class with few images may be worse
    still and look better. The interval is therefore that of the lowest recall of all: from the lowest lower
    to the lowest upper end of the classes' intervals, exact at 1 - 0.05 / K each (Bonferroni), so that with
    probability 95 % all of them hold at once. Of several classes with the same recall the one named has the
    lowest lower end.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).

    Raises:
        UsageError: The arrays are not such.
    """
    candidates = max(len(np.unique(labels)), 1)
    scores = per_class(probabilities, labels, confidence=1 - 0.05 / candidates)
    worst = min(scores, key=lambda one: (one.recall.value, one.recall.low))
    low, high = (min(getattr(one.recall, end) for one in scores) for end in ("low", "high"))
    return replace(worst, recall=replace(worst.recall, low=low, high=high))
