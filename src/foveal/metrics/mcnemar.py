"""Are two recognizers really different? The exact paired test on the same images.

Source: McNemar, "Note on the sampling error of the difference between correlated proportions or
percentages", Psychometrika 1947, with the binomial distribution itself in place of its approximation.
Recommended for two trained classifiers by Dietterich, "Approximate statistical tests for comparing
supervised classification learning algorithms", Neural Computation 1998, §3.1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.metrics.binomial_cdf import binomial_cdf


@dataclass(frozen=True)
class Paired:
    """How two recognizers did on the same images.

    Attributes:
        n: Images.
        only_a: Images that only the first named correctly.
        only_b: Images that only the second named correctly.
        p_value: Probability of so uneven a pair of numbers, or a more uneven one, if both were equally good.
    """

    n: int
    only_a: int
    only_b: int
    p_value: float


def mcnemar(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_]) -> Paired:
    """Return the exact two-sided test: images on which both are right, or both wrong, say nothing.

    Args:
        right_a: Whether the first recognizer named each image correctly, bool (N,), N ≥ 1. The images must
            be independent: of those that belong together only one.
        right_b: The same of the second.

    Raises:
        UsageError: The arrays are not such.

    >>> round(mcnemar(np.array([True] * 9 + [False]), np.array([True] + [False] * 9)).p_value, 6)
    0.007812
    """
    _check(right_a, right_b)
    only_a = int((right_a & ~right_b).sum())
    only_b = int((right_b & ~right_a).sum())
    tail = binomial_cdf(min(only_a, only_b), only_a + only_b, 0.5)
    return Paired(len(right_a), only_a, only_b, min(1.0, 2 * tail))


def _check(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_]) -> None:
    if right_a.ndim != 1 or right_a.shape != right_b.shape:
        raise UsageError(
            f"two recognizers are compared on the same images; got {right_a.shape} and {right_b.shape}"
        )
    if right_a.dtype != np.bool_ or right_b.dtype != np.bool_:
        raise UsageError(f"need bool (N,), right or wrong; got {right_a.dtype} and {right_b.dtype}")
    if len(right_a) == 0:
        raise UsageError("a comparison needs at least one image", code="empty")
