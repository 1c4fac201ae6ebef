"""How often sets of each size hold the truth: small sets must not be small because they miss.

Source: Angelopoulos, Bates, Malik & Jordan, "Uncertainty Sets for Image Classifiers using Conformal
Prediction", ICLR 2021. https://arxiv.org/abs/2009.14193
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.metrics._sets import check_sets
from foveal.metrics.clopper_pearson import clopper_pearson

_FIRST = (0, 2, 4, 7, 11, 101)  # the paper's strata: 0-1, 2-3, 4-6, 7-10, 11-100, more


@dataclass(frozen=True)
class Stratum:
    """The sets with `least` to `most` classes, and how often they hold the truth."""

    least: int
    most: int
    coverage: Measured


def size_stratified_coverage(sets: NDArray[np.bool_], labels: NDArray[np.integer]) -> tuple[Stratum, ...]:
    """Return the coverage of the sets of every size that occurs, small ones first.

    The lowest of them is what the promise is worth for the images that it was worst for; the intervals hold
    together with 95 % (Bonferroni).

    Args:
        sets: Which classes are in each image's set, bool (N, K), N ≥ 1.
        labels: Integers (N,) in [0, K).

    Raises:
        UsageError: The arrays are not such.
    """
    check_sets(sets, labels)
    hits, sizes = sets[np.arange(len(labels)), labels], sets.sum(axis=1)
    strata = np.searchsorted(_FIRST, sizes, side="right") - 1
    present = np.unique(strata)
    ends = (*(first - 1 for first in _FIRST[1:]), sets.shape[1])
    found = []
    for one in present:
        inside = strata == one
        share = clopper_pearson(int(hits[inside].sum()), int(inside.sum()), 1 - 0.05 / len(present))
        found.append(Stratum(_FIRST[one], min(ends[one], sets.shape[1]), share))
    return tuple(found)
