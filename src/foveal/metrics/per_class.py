"""How well each class is recognized, and how far its name can be trusted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.metrics.confusion import confusion


@dataclass(frozen=True)
class ClassScores:
    """What was measured of one class.

    Attributes:
        index: The class, in [0, K).
        n: Its images.
        recall: Share of its images that were given its name.
        precision: Share of the images given its name that are of it; None if none was given it.
    """

    index: int
    n: int
    recall: Measured
    precision: Measured | None


def per_class(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], *, confidence: float = 0.95
) -> tuple[ClassScores, ...]:
    """Return recall and precision of every class that occurs in `labels`, in class order.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).
        confidence: Of each interval alone; the intervals are not corrected for being many.

    Raises:
        UsageError: The arrays are not such.
    """
    matrix = confusion(probabilities, labels)
    right, present, given = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    return tuple(
        ClassScores(
            index=int(k),
            n=int(present[k]),
            recall=clopper_pearson(right[k], present[k], confidence),
            precision=clopper_pearson(right[k], given[k], confidence) if given[k] else None,
        )
        for k in np.flatnonzero(present)
    )
