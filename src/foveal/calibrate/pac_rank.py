"""The rank of a quantile whose promise holds for the calibration images that were drawn.

Source: Vovk, "Conditional validity of inductive conformal predictors", 2012, proposition 2a: given the n
images, the coverage follows Beta(k, n + 1 - k). https://arxiv.org/abs/1209.2673
"""

from foveal.core.errors import UsageError
from foveal.metrics.binomial_cdf import binomial_cdf


def pac_rank(n: int, alpha: float, delta: float) -> int:
    """Return the smallest k for which P(coverage < 1 - alpha) ≤ delta; n + 1 where there is none.

    P(Beta(k, n + 1 - k) < 1 - alpha) is the probability of at most n - k misses among n images, each
    missed with probability alpha: the test that `abstain` makes of a risk.

    Args:
        n: Calibration images, at least 0.
        alpha: Share of misses that is promised.
        delta: Probability, over the draw of the images, that there are more.

    Raises:
        UsageError: n is negative, or alpha or delta outside (0, 1).

    >>> [pac_rank(1000, alpha, 0.05) for alpha in (0.1, 0.05, 0.01)]
    [916, 962, 996]
    """
    if n < 0 or not (0 < alpha < 1 and 0 < delta < 1):
        raise UsageError(f"need n ≥ 0, and alpha and delta in (0, 1); got {n}, {alpha} and {delta}")
    proven, refuted = -1, n  # misses that are few enough, and that are not
    while refuted - proven > 1:
        misses = (proven + refuted) // 2
        if binomial_cdf(misses, n, alpha) <= delta:
            proven = misses
        else:
            refuted = misses
    return n - proven
