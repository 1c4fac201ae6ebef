"""How often a prediction set holds the true class, and what that costs in size."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.promises import conformal_rank
from foveal.core.types import Measured
from foveal.metrics._sets import check_sets
from foveal.metrics.clopper_pearson import clopper_pearson


@dataclass(frozen=True)
class SetCoverage:
    """Share of sets that hold the truth, mean number of classes in a set, share of sets with one class."""

    coverage: Measured
    mean_size: float
    singleton_share: Measured


def set_coverage(sets: NDArray[np.bool_], labels: NDArray[np.integer]) -> SetCoverage:
    """Return coverage and size of prediction sets.

    Args:
        sets: Which classes are in each image's set, bool (N, K), N ≥ 1.
        labels: Integers (N,) in [0, K).

    Raises:
        UsageError: The arrays are not such.
    """
    check_sets(sets, labels)
    sizes = sets.sum(axis=1)
    hits = int(sets[np.arange(len(labels)), labels].sum())
    single = clopper_pearson(int((sizes == 1).sum()), len(sizes))
    return SetCoverage(clopper_pearson(hits, len(labels)), float(sizes.mean()), single)


def surely_covered(n: int, alpha: float) -> float:
    """Return the share of true classes that split-conformal sets hold, with a certainty of 95 %.

    1 - alpha is an average over draws of the n calibration images. Given one draw, the coverage follows
    Beta(k, n + 1 - k), k the rank of the quantile, and is higher where scores tie; this is its 5 % quantile.
    Source: Vovk, "Conditional validity of inductive conformal predictors", 2012.

    Args:
        n: Calibration images, enough for a quantile.
        alpha: Promised share of misses.

    >>> round(surely_covered(28, 0.1), 2)
    0.84
    """
    return clopper_pearson(conformal_rank(n, alpha), n, confidence=0.9).low
