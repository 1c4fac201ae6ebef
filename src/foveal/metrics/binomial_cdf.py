"""The exact binomial distribution function, for intervals and tests that must not lean on a normal curve.

Source: NIST Digital Library of Mathematical Functions, §8.17 (incomplete beta function): the binomial
tail is 8.17.5, the continued fraction 8.17.22. https://dlmf.nist.gov/8.17
"""

import math
from functools import lru_cache

from foveal.core.errors import UsageError

_TINY = 1e-300


@lru_cache(maxsize=1 << 16)
def binomial_cdf(successes: int, n: int, p: float) -> float:
    """Return the probability of at most `successes` in `n` independent trials of probability `p`.

    Relative error below 1e-8 for n up to a million.

    Raises:
        UsageError: n is negative or `p` is no probability.

    >>> round(binomial_cdf(0, 299, 0.01), 4)
    0.0495
    """
    if n < 0 or not 0 <= p <= 1:
        raise UsageError(f"need n ≥ 0 and p in [0, 1]; got n={n}, p={p}")
    if successes < 0:
        return 0.0
    if successes >= n:
        return 1.0
    return incomplete_beta(1 - p, n - successes, successes + 1)


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularized incomplete beta function I_x(a, b), for a, b > 0 and x in [0, 1]."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side only
        return 1 - incomplete_beta(1 - x, b, a)
    log_front = a * math.log(x) + b * math.log1p(-x) - log_beta(a, b)
    return math.exp(log_front) / a * _fraction(x, a, b)


def log_beta(a: float, b: float) -> float:
    """Return the logarithm of the beta function B(a, b)."""
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _fraction(x: float, a: float, b: float) -> float:
    """Evaluate 1 / (1 + d1 / (1 + d2 / …)) by Lentz's method, from the front until nothing changes."""
    numerator, denominator, value = 1.0, 0.0, 1.0
    m, change = 0, 0.0
    while abs(change - 1) > 1e-15 and m < 1_000_000:  # about sqrt(a + b) rounds in practice
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        m += 1
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        for term in (odd, even):
            denominator = 1 / ((1 + term * denominator) or _TINY)
            numerator = (1 + term / numerator) or _TINY
            change = numerator * denominator
            value *= change
    return 1 / value
