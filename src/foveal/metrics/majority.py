"""The baseline that looks at no picture: always name the most frequent class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.metrics.clopper_pearson import clopper_pearson


@dataclass(frozen=True)
class Majority:
    """The most frequent class (the first, in a tie) and the accuracy of always naming it."""

    index: int
    accuracy: Measured


def majority(labels: NDArray[np.integer]) -> Majority:
    """Return the accuracy that a recognizer has to beat to have learned anything.

    Args:
        labels: Integers (N,) ≥ 0, N ≥ 1.

    Raises:
        UsageError: No labels, or no integers.
    """
    if labels.ndim != 1 or not len(labels) or not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        raise UsageError(f"need labels, integers (N,) ≥ 0 with N ≥ 1; got {labels.dtype} {labels.shape}")
    counts = np.bincount(labels)
    return Majority(int(counts.argmax()), clopper_pearson(int(counts.max()), len(labels)))
