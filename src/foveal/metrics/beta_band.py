"""In which band the coverage of prediction sets on test images must lie, if all is as it should be.

Source: Vovk, "Conditional validity of inductive conformal predictors", 2012: given n calibration images the
coverage follows Beta(k, n + 1 - k), so the number covered among m test images is beta-binomial; Angelopoulos
& Bates, "A Gentle Introduction to Conformal Prediction", 2021, §4.2 and appendix C.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.promises import conformal_rank
from foveal.metrics.binomial_cdf import log_beta


@dataclass(frozen=True)
class BetaBand:
    """Fewest and most of m test images that the sets should hold the truth of, both inside."""

    fewest: int
    most: int
    m: int

    @property
    def low(self) -> float:
        """Lower end as a share of the test images."""
        return self.fewest / self.m

    @property
    def high(self) -> float:
        """Upper end as a share of the test images."""
        return self.most / self.m


def beta_band(
    n: int, m: int, *, alpha: float = 0.1, level: float = 0.99, rank: int | None = None
) -> BetaBand:
    """Return the band that holds the number of covered test images with probability at least `level`.

    Below it fewer are covered than chance in both sets explains. Above it the sets are too large: scores tie,
    the best class is in every set, or test images were calibrated on.

    Args:
        n: Calibration images, enough for a quantile.
        m: Test images, at least 1.
        alpha: Share of misses that was promised.
        level: In (0, 1); half of what is left is on each side.
        rank: Of the quantile among the n scores; None: that of `alpha`. See also `calibrate.pac_rank`.

    Raises:
        UsageError: A number outside its range, or n is too small for a quantile.

    >>> band = beta_band(1000, 1000, alpha=0.1)
    >>> band.low, band.high
    (0.863, 0.932)
    """
    if not (0 < alpha < 1 and 0 < level < 1) or m < 1 or n < 0:
        raise UsageError(f"need n ≥ 0, m ≥ 1, alpha and level in (0, 1); got {n}, {m}, {alpha}, {level}")
    k = conformal_rank(n, alpha) if rank is None else rank
    if not 1 <= k <= n:
        raise UsageError(f"{n} calibration images have no score of rank {k}: the sets hold all classes")
    chances = _beta_binomial(m, k, n + 1 - k)
    tail = (1 - level) / 2
    fewest = int(np.searchsorted(np.cumsum(chances), tail, side="right"))
    most = m - int(np.searchsorted(np.cumsum(chances[::-1]), tail, side="right"))
    return BetaBand(fewest, most, m)


def _beta_binomial(m: int, a: int, b: int) -> NDArray[np.float64]:
    """Return the probabilities of 0 to m successes, float64 (m + 1,)."""
    logs = [log_beta(a + c, b + m - c) - log_beta(a, b) - log_beta(c + 1, m - c + 1) for c in range(m + 1)]
    # The binomial coefficient is 1 / ((m + 1) B(c + 1, m - c + 1)).
    return np.asarray(np.exp(np.array(logs)) / (m + 1), dtype=np.float64)
