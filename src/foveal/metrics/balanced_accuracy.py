"""Accuracy with every class counting the same, however few images it has.

Source of the interval: Zou & Donner, "Construction of confidence limits about effect measures: a general
approach", 2008 (MOVER). It combines the exact interval of each class, and so does not shrink to nothing
when no error was seen, as resampling would.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.metrics.per_class import per_class


def balanced_accuracy(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> Measured:
    """Return the mean recall over the classes that occur in `labels`.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).

    Raises:
        UsageError: The arrays are not such.
    """
    recalls = [scores.recall for scores in per_class(probabilities, labels)]
    value = sum(recall.value for recall in recalls) / len(recalls)
    down = sum((recall.value - recall.low) ** 2 for recall in recalls) ** 0.5 / len(recalls)
    up = sum((recall.high - recall.value) ** 2 for recall in recalls) ** 0.5 / len(recalls)
    return Measured(value, max(value - down, 0.0), min(value + up, 1.0), len(labels), "mover-clopper-pearson")
