"""A quantile of measured values with an interval that assumes no distribution.

Source: David & Nagaraja, "Order Statistics", 3rd ed. 2003, §7.1: of n independent values the number below the
p-quantile is binomial (n, p), so two of the sorted values bound it with a probability that is known exactly.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.metrics.binomial_cdf import binomial_cdf


@dataclass(frozen=True)
class Quantile:
    """A quantile with its interval.

    Attributes:
        value: The estimate, in the unit of the values.
        low, high: The interval; None on a side where n values are too few to bound it.
        n: How many independent values it rests on.
        method: How the interval was made.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    method: str = "order-statistic"

    def scaled(self, factor: float) -> "Quantile":
        """Return the same in another unit, `factor` above 0 of which make one of this."""
        low, high = (None if end is None else end * factor for end in (self.low, self.high))
        return replace(self, value=self.value * factor, low=low, high=high)

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object with the five keys."""
        return asdict(self)


def quantile(values: NDArray[np.floating], share: float, *, confidence: float = 0.95) -> Quantile:
    """Return a quantile of independent values with its two-sided interval.

    Args:
        values: Finite, float (N,), N ≥ 1, in any order.
        share: In (0, 1): 0.5 is the median, 0.99 what one in a hundred exceeds.
        confidence: Least probability with which the interval covers the truth, in (0, 1).

    Raises:
        UsageError: No values, values that are not finite, or a share or confidence outside (0, 1).

    >>> quantile(np.arange(1.0, 12.0), 0.5)
    Quantile(value=6.0, low=2.0, high=10.0, n=11, method='order-statistic')
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    if ordered.ndim != 1 or len(ordered) == 0:
        raise UsageError(f"a quantile needs values (N,), N ≥ 1; got {ordered.shape}", code="empty")
    if not np.isfinite(ordered).all():
        raise UsageError("a quantile needs finite values; got NaN or infinity")
    if not (0 < share < 1 and 0 < confidence < 1):
        raise UsageError(f"share and confidence are in (0, 1); got {share} and {confidence}")
    n, tail = len(ordered), (1 - confidence) / 2
    below, above = _rank(n, share, tail), _rank(n, 1 - share, tail)
    return Quantile(
        value=float(np.quantile(ordered, share)),
        low=float(ordered[below - 1]) if below else None,
        high=float(ordered[n - above]) if above else None,
        n=n,
    )


def _rank(n: int, share: float, tail: float) -> int:
    """Return the largest r with P(fewer than r of n values lie below) ≤ tail; 0: there is none."""
    least, most = 0, n
    while least < most:
        middle = (least + most + 1) // 2
        if binomial_cdf(middle - 1, n, share) <= tail:
            least = middle
        else:
            most = middle - 1
    return least
