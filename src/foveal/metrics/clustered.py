"""Shares of pictures of which some belong together: estimates count all pictures, intervals count units.

The worst case is taken: that all pictures of a unit are answered alike. N pictures then say as much as
n = (Σ m)² / Σ m² independent ones, where m are the sizes of the units (Kish, "Survey Sampling", 1965, §5.4,
with an intraclass correlation of 1), and the same shares of n go into the intervals for independent pictures.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.metrics.paired_difference import paired_difference


def independent_number(units: NDArray[np.int64] | None, count: int) -> float:
    """Return how many independent pictures say as much as these, in 1..`count`.

    Args:
        units: A number for each picture, equal for those that belong together, (N,); None: each stands alone.
        count: N, at least 1.

    Raises:
        UsageError: No picture.

    >>> independent_number(np.array([0, 0, 1, 1, 2, 2]), 6), independent_number(None, 6)
    (3.0, 6.0)
    """
    if count < 1:
        raise UsageError("a share needs at least one picture; got none", code="empty")
    if units is None:
        return float(count)
    sizes = np.unique(units, return_counts=True)[1].astype(np.float64)
    return float(sizes.sum() ** 2 / np.square(sizes).sum())


def clustered_share(right: NDArray[np.bool_], independent: float) -> Measured:
    """Return the share of pictures for which something holds; `n` is the whole number below `independent`.

    Args:
        right: bool (N,), N ≥ 1.
        independent: Of `independent_number`.
    """
    return clopper_pearson(float(right.mean()) * independent, independent)


def clustered_difference(first: NDArray[np.bool_], second: NDArray[np.bool_], independent: float) -> Measured:
    """Return the share of the first minus that of the second on the same pictures; arguments as above."""
    only_first, only_second = float((first & ~second).mean()), float((second & ~first).mean())
    return paired_difference(only_first * independent, only_second * independent, independent)
