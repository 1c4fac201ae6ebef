"""How improbable so small a mean loss is if the true one is above a limit, for losses of any kind in [0, 1].

Source: Bates et al., "Distribution-Free, Risk-Controlling Prediction Sets", JACM 2021, §3.1: the smaller of
the bounds of Hoeffding (1963, in its relative-entropy form) and Bentkus (2004).
https://arxiv.org/abs/2101.02703
"""

import math

from foveal.core.errors import UsageError
from foveal.metrics.binomial_cdf import binomial_cdf


def hoeffding_bentkus(mean: float, n: int, limit: float) -> float:
    """Return a p-value for "the true mean is above `limit`", in (0, 1].

    Without any loss it is (1 − limit)ⁿ, as the exact test of a share has it; else it is larger than that.

    Args:
        mean: Mean of n independent losses in [0, 1].
        n: At least 1.
        limit: In (0, 1).

    Raises:
        UsageError: The numbers are not such.

    >>> hoeffding_bentkus(0.0, 59, 0.05) <= 0.05 < hoeffding_bentkus(0.0, 58, 0.05)
    True
    """
    if n < 1 or not 0 <= mean <= 1 or not 0 < limit < 1:
        raise UsageError(f"need n ≥ 1, a mean in [0, 1] and a limit in (0, 1); got {n}, {mean} and {limit}")
    hoeffding = math.exp(-n * _divergence(min(mean, limit), limit))
    # Rounded, or 10 * 0.3 might become 3.0000000000000004 and the next whole number one too large.
    bentkus = math.e * binomial_cdf(math.ceil(round(n * mean, 9)), n, limit)
    return min(hoeffding, bentkus, 1.0)


def _divergence(a: float, b: float) -> float:
    """Return the relative entropy of two coins, in nats."""
    first = a * math.log(a / b) if a > 0 else 0.0
    second = (1 - a) * math.log((1 - a) / (1 - b)) if a < 1 else 0.0
    return first + second
