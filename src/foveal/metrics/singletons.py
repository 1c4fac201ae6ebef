"""How often a prediction set is an answer: it names one class; and how often that is the true one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.metrics._sets import check_sets
from foveal.metrics.clopper_pearson import clopper_pearson


@dataclass(frozen=True)
class Singletons:
    """Sets with one class.

    Attributes:
        share: Of all sets.
        right: Share of them that name the true class; None where there is none. Nothing is promised of it.
        empty: Share of sets that name nothing.
    """

    share: Measured
    right: Measured | None
    empty: Measured


def singletons(sets: NDArray[np.bool_], labels: NDArray[np.integer]) -> Singletons:
    """Return how many sets name one class, and how often it is the truth.

    Args:
        sets: Which classes are in each image's set, bool (N, K), N ≥ 1.
        labels: Integers (N,) in [0, K).

    Raises:
        UsageError: The arrays are not such.
    """
    check_sets(sets, labels)
    sizes, n = sets.sum(axis=1), len(labels)
    single = sizes == 1
    hits, count = int(sets[np.arange(n), labels][single].sum()), int(single.sum())
    return Singletons(
        share=clopper_pearson(count, n),
        right=clopper_pearson(hits, count) if count else None,
        empty=clopper_pearson(int((sizes == 0).sum()), n),
    )
