"""The mean over queries of which some belong together: the interval resamples what they belong to."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.metrics.bootstrap import bootstrap


def clustered_mean(values: NDArray[np.floating], units: NDArray[np.integer], *, seed: int = 0) -> Measured:
    """Return the mean of values with its BCa interval over units.

    What is true of one picture of a class is often true of the others: whole classes are drawn.

    Args:
        values: Finite, (N,), N ≥ 1.
        units: What each belongs to, integers (N,).
        seed: Equal seeds give equal intervals.

    Returns:
        `n` is N.

    Raises:
        UsageError: No values, or such as are not finite.
    """
    _, place = np.unique(units, return_inverse=True)
    sums = np.bincount(place, weights=np.asarray(values, np.float64))
    columns = np.stack([sums, np.bincount(place).astype(np.float64)], axis=1)
    found = bootstrap(columns, lambda means: means[:, 0] / means[:, 1], seed=seed)
    return replace(found, n=len(values), method="bootstrap-bca-clustered")
