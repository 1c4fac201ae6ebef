"""What lies at or above a threshold of its own for each class, counted for each picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.metrics.match import Matches

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Counts:
    """Of each picture and class, int64 (N, K).

    Attributes:
        right: Findings at or above the threshold that are there.
        found: Findings at or above it, without those that are to be ignored.
        truths: Objects to be found.
    """

    right: Ints
    found: Ints
    truths: Ints


def above(matches: Matches, thresholds: NDArray[np.floating]) -> Counts:
    """Return the counts; nothing is found of a class whose threshold is NaN.

    Args:
        matches: For one limit of the overlap.
        thresholds: Lowest score of each class, (K,).

    Raises:
        UsageError: There are several limits, or not one threshold for each class.
    """
    right, ignored = matches.only()
    images, classes = matches.truths.shape
    if np.shape(thresholds) != (classes,):
        raise UsageError(f"need one threshold for each of {classes} classes; got {np.shape(thresholds)}")
    kept = (matches.scores >= np.asarray(thresholds, np.float64)[matches.labels]) & ~ignored
    cells = matches.images * classes + matches.labels

    def table(chosen: NDArray[np.bool_]) -> Ints:
        return np.bincount(cells[chosen], minlength=images * classes).reshape(images, classes)

    return Counts(table(kept & right), table(kept), matches.truths)
