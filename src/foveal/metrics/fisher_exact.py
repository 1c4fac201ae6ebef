"""Are two shares really different? The exact test on two independent groups.

Source: Fisher, "The Logic of Inductive Inference", Journal of the Royal Statistical Society 1935: given how
many events there were in all, their number in one group follows the hypergeometric distribution.
"""

import math

from foveal.core.errors import UsageError


def fisher_exact(events_a: int, n_a: int, events_b: int, n_b: int) -> float:
    """Return the two-sided p-value of "both groups have the same share": twice the smaller tail, at most 1.

    Args:
        events_a: In the first group, 0 to `n_a`.
        n_a: Its independent members, at least 1.
        events_b: In the second group, 0 to `n_b`.
        n_b: Its independent members, at least 1.

    Raises:
        UsageError: The numbers are not such.

    >>> round(fisher_exact(0, 20, 6, 20), 4)
    0.0202
    """
    if n_a < 1 or n_b < 1 or not 0 <= events_a <= n_a or not 0 <= events_b <= n_b:
        raise UsageError(f"need events of two groups; got {events_a} of {n_a} and {events_b} of {n_b}")
    total = events_a + events_b
    first, last = max(0, total - n_b), min(n_a, total)
    all_of_them = _log_choose(n_a + n_b, total)
    chances = [
        math.exp(_log_choose(n_a, k) + _log_choose(n_b, total - k) - all_of_them)
        for k in range(first, last + 1)
    ]
    fewer, more = sum(chances[: events_a - first + 1]), sum(chances[events_a - first :])
    return min(1.0, 2 * min(fewer, more))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
