"""Many comparisons at once: the more are made, the more differ by chance.

Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics
1979. Demanded of comparisons of classifiers by Demšar, JMLR 2006, §3.2.2.
"""

from collections.abc import Sequence

from foveal.core.errors import UsageError


def holm(p_values: Sequence[float]) -> list[float]:
    """Return adjusted p-values: below 0.05 all of them together err with at most 5 % probability.

    Args:
        p_values: One per comparison, in [0, 1].

    Raises:
        UsageError: One is no probability.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    if any(not 0 <= p <= 1 for p in p_values):
        raise UsageError(f"p-values lie in [0, 1]; got {list(p_values)}")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted
