"""How often a prediction set holds the true class, and what that costs in size."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.metrics.clopper_pearson import clopper_pearson


@dataclass(frozen=True)
class SetCoverage:
    """Share of sets that hold the truth, mean number of classes in a set, share of sets with one class."""

    coverage: Measured
    mean_size: float
    singleton_share: float


def set_coverage(sets: NDArray[np.bool_], labels: NDArray[np.integer]) -> SetCoverage:
    """Return coverage and size of prediction sets.

    Args:
        sets: Which classes are in each image's set, bool (N, K), N ≥ 1.
        labels: Integers (N,) in [0, K).

    Raises:
        UsageError: The arrays are not such.
    """
    if sets.ndim != 2 or sets.dtype != np.bool_ or labels.shape != sets.shape[:1] or not len(sets):
        raise UsageError(
            f"need sets bool (N, K) and N ≥ 1 labels; got {sets.dtype} {sets.shape} and {labels.shape}"
        )
    sizes = sets.sum(axis=1)
    hits = int(sets[np.arange(len(labels)), labels].sum())
    return SetCoverage(clopper_pearson(hits, len(labels)), float(sizes.mean()), float((sizes == 1).mean()))
