"""The exact interval of a measured proportion.

Source: Clopper & Pearson, "The use of confidence or fiducial limits illustrated in the case of the
binomial", Biometrika 1934. It covers the truth in at least the promised share of repetitions at every n,
which the normal and the Wilson interval do not, and it says something useful after zero errors.
"""

import math
from functools import lru_cache
from statistics import NormalDist

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.metrics.binomial_cdf import incomplete_beta, log_beta


def clopper_pearson(successes: float, n: float, confidence: float = 0.95) -> Measured:
    """Return the share `successes / n` with its two-sided exact interval.

    Args:
        successes: 0 to n.
        n: Independent trials, at least 1. No whole number where some belong together: see
            `metrics.independent_number`.
        confidence: Probability with which the interval covers the truth, in (0, 1).

    Raises:
        UsageError: No trials at all (a share of nothing is not a number), more successes than trials,
            or a confidence outside (0, 1).

    >>> print(clopper_pearson(299, 300))
    99.7% (95 % interval 98.2% to 100.0%, n=300)
    """
    if n < 1:
        raise UsageError(f"a proportion needs at least one trial; got n={n}", code="empty")
    if not 0 <= successes <= n:
        raise UsageError(f"successes must be in 0..{n}; got {successes}")
    if not 0 < confidence < 1:
        raise UsageError(f"confidence must be in (0, 1); got {confidence}")
    tail = (1 - confidence) / 2
    successes, n = float(successes), float(n)
    low, high = _lower(successes, n, tail), 1 - _lower(max(0.0, n - successes), n, tail)
    return Measured(successes / n, low, high, int(n), "clopper-pearson")


@lru_cache(maxsize=1 << 14)
def _lower(successes: float, n: float, tail: float) -> float:
    """Return the p at which `successes` or more happen with probability `tail`.

    Newton's steps from Wilson's lower limit; one that leaves the bracket is replaced by a bisection.
    """
    if successes == 0:
        return 0.0
    a, b = successes, n - successes + 1
    below, above = 0.0, 1.0
    p = _wilson_lower(successes, n, tail)
    for _ in range(200):
        error = incomplete_beta(p, a, b) - tail
        below, above = (below, p) if error > 0 else (p, above)
        log_slope = (a - 1) * math.log(p) + (b - 1) * math.log1p(-p) - log_beta(a, b)
        step = error / math.exp(log_slope) if log_slope > -700 else math.inf
        following = p - step if below < p - step < above else (below + above) / 2
        if abs(following - p) <= 1e-15 + 1e-13 * p:
            return following
        p = following
    return p


def _wilson_lower(successes: float, n: float, tail: float) -> float:
    z = NormalDist().inv_cdf(1 - tail)
    centre = successes + z * z / 2
    spread = z * math.sqrt(successes * (n - successes) / n + z * z / 4)
    return (centre - spread) / (n + z * z)
