"""By how much two accuracies on the same images differ, with an interval.

Source: Tango, "Equivalence test and confidence interval for the difference in proportions for the
paired-sample design", Statistics in Medicine 1998, equations 4 to 6. It inverts the score test, so it also
says something where the two never disagree, which resampling does not.
"""

import math
from statistics import NormalDist

from foveal.core.errors import UsageError
from foveal.core.types import Measured

_ROUNDED = 1e-9  # of counts that are no whole numbers
_ROUNDS = 60  # halvings of [-1, 1]: far below what is printed


def paired_difference(only_a: float, only_b: float, n: float, confidence: float = 0.95) -> Measured:
    """Return the accuracy of the first minus that of the second, with its score interval.

    Args:
        only_a: Images that only the first named correctly.
        only_b: Images that only the second named correctly.
        n: All images, at least 1. No whole number where some belong together: see
            `metrics.independent_number`.
        confidence: In (0, 1).

    Raises:
        UsageError: No images, more disagreements than images, or another confidence.

    >>> found = paired_difference(30, 12, 500)
    >>> round(found.value, 3), found.low > 0
    (0.036, True)
    """
    if n < 1:
        raise UsageError(f"a difference needs at least one image; got n={n}", code="empty")
    if min(only_a, only_b) < 0 or only_a + only_b > n * (1 + _ROUNDED):
        raise UsageError(f"of {n} images {only_a} and {only_b} cannot be named by one recognizer only")
    if not 0 < confidence < 1:
        raise UsageError(f"confidence must be in (0, 1); got {confidence}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    value = (only_a - only_b) / n
    low = _end(only_a, only_b, n, z, outside=-1.0, inside=value)
    high = _end(only_a, only_b, n, z, outside=1.0, inside=value)
    return Measured(value, low, high, int(n), "tango")


def _end(only_a: float, only_b: float, n: float, z: float, *, outside: float, inside: float) -> float:
    """Return the difference nearest to `outside` that the score test does not reject."""
    if abs(_score(only_a, only_b, n, outside)) <= z:
        return outside
    for _ in range(_ROUNDS):
        middle = (outside + inside) / 2
        if abs(_score(only_a, only_b, n, middle)) > z:
            outside = middle
        else:
            inside = middle
    return inside


def _score(only_a: float, only_b: float, n: float, difference: float) -> float:
    """Return Tango's statistic for a supposed difference; at 0 it is McNemar's."""
    a = 2 * n
    b = (2 * n - only_a + only_b) * difference - only_a - only_b
    c = -only_b * difference * (1 - difference)
    only_b_share = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = n * (2 * only_b_share + difference * (1 - difference))
    distance = only_a - only_b - n * difference
    if variance <= 0:
        return 0.0 if distance == 0 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)
