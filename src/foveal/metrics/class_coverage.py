"""How often the sets hold the truth for the images of each class: what an average hides.

Source: Ding et al., "Class-Conditional Conformal Prediction with Many Classes", NeurIPS 2023 (class
coverage gap). https://arxiv.org/abs/2306.09335
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.metrics._sets import check_sets
from foveal.metrics.clopper_pearson import clopper_pearson


@dataclass(frozen=True)
class ClassCoverage:
    """Coverage of the classes that occur.

    Attributes:
        classes: Their indices.
        coverage: Of each, with its exact interval; together they hold with 95 % (Bonferroni).
        worst: Index of the class with the lowest coverage, of several the one with the lowest lower end.
        gap: Mean over classes of |coverage - (1 - alpha)|. Chance alone makes it larger than 0.
    """

    classes: tuple[int, ...]
    coverage: tuple[Measured, ...]
    worst: int
    gap: float


def class_coverage(sets: NDArray[np.bool_], labels: NDArray[np.integer], *, alpha: float) -> ClassCoverage:
    """Return the coverage of every class in `labels`, and its mean distance from the promise.

    Args:
        sets: Which classes are in each image's set, bool (N, K), N ≥ 1.
        labels: Integers (N,) in [0, K).
        alpha: Share of misses that the sets were made for.

    Raises:
        UsageError: The arrays are not such.
    """
    check_sets(sets, labels)
    hits = sets[np.arange(len(labels)), labels]
    present = [int(k) for k in np.unique(labels)]
    confidence = 1 - 0.05 / len(present)
    found = tuple(
        clopper_pearson(int(hits[labels == k].sum()), int((labels == k).sum()), confidence) for k in present
    )
    worst = min(range(len(present)), key=lambda place: (found[place].value, found[place].low))
    gap = sum(abs(one.value - (1 - alpha)) for one in found) / len(found)
    return ClassCoverage(tuple(present), found, present[worst], gap)
