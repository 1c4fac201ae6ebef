"""How many classes the prediction sets name: what their promise costs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.metrics._sets import check_sets
from foveal.metrics.bootstrap import bootstrap
from foveal.metrics.quantile import Quantile, quantile


@dataclass(frozen=True)
class SetSize:
    """Sizes of prediction sets.

    Attributes:
        mean: Mean number of classes, by the bootstrap.
        p95: The number that one set in twenty exceeds.
    """

    mean: Measured
    p95: Quantile


def set_size(sets: NDArray[np.bool_], *, seed: int = 0) -> SetSize:
    """Return mean and 95 % quantile of the number of classes in a set.

    Args:
        sets: Which classes are in each image's set, bool (N, K), N ≥ 1.
        seed: For the resampling behind the interval of the mean.

    Raises:
        UsageError: The array is not such.
    """
    check_sets(sets, np.zeros(len(sets), dtype=np.int64))
    sizes = sets.sum(axis=1).astype(np.float64)
    return SetSize(bootstrap(sizes, seed=seed), quantile(sizes, 0.95))
