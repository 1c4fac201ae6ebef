"""From which score on a part is called defective, where only good ones are known; and how often wrongly.

Split conformal prediction with one class (Vovk et al., "Algorithmic Learning in a Random World", 2005; for
outliers Bates et al., "Testing for outliers with conformal p-values", 2023): of n good pictures that were not
learned from, k have higher scores than the threshold. One more that is drawn like these has a higher one with
probability (k + 1) / (n + 1) at most. How often that threshold will be wrong is itself chance: with
probability 1 - δ not more often than the upper Clopper-Pearson limit of k in n.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.metrics.clopper_pearson import clopper_pearson


@dataclass(frozen=True)
class FalseCalls:
    """What is promised of good parts.

    Attributes:
        threshold: A part with a higher score is called defective; None: too few good pictures were there.
        expected: Share of good parts that are, at most, on average over calibrations; None without threshold.
        bound: The same with certainty 1 - delta; None without threshold.
        rate: The share that was asked for, on average.
        delta: Probability that the bound does not hold.
        n: Good pictures that it rests on; of those that belong together one.
        above: How many of them score higher.
        needed: How many would have been enough for a threshold.
    """

    threshold: float | None
    expected: float | None
    bound: float | None
    rate: float
    delta: float
    n: int
    above: int
    needed: int

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return asdict(self)


def false_calls(scores: NDArray[np.floating], *, rate: float = 0.05, delta: float = 0.05) -> FalseCalls:
    """Return the lowest threshold above which, on average, at most a share `rate` of good parts score.

    Args:
        scores: Of good pictures that were not learned from, one of each that belong together, (N,).
        rate: Share of good parts that may be called defective, in (0, 1).
        delta: Probability that the bound does not hold, in (0, 1).

    Raises:
        UsageError: A share outside its range, or scores that are no numbers.

    >>> false_calls(np.arange(18.0)).threshold is None
    True
    >>> found = false_calls(np.arange(39.0))
    >>> found.threshold, found.expected, round(found.bound, 3)
    (37.0, 0.05, 0.116)
    """
    if not (0 < rate < 1 and 0 < delta < 1):
        raise UsageError(f"rate and delta lie in (0, 1); got {rate} and {delta}")
    if not np.isfinite(scores).all():
        raise UsageError("scores are finite numbers")
    n = len(scores)
    needed = math.ceil(round(1 / rate, 9)) - 1
    if n < needed:
        return FalseCalls(None, None, None, rate, delta, n, 0, needed)
    allowed = math.floor(round(rate * (n + 1), 9)) - 1  # that may lie above
    threshold = float(np.sort(scores)[n - 1 - allowed])
    above = int((scores > threshold).sum())
    bound = clopper_pearson(above, n, 1 - 2 * delta).high
    return FalseCalls(threshold, (above + 1) / (n + 1), bound, rate, delta, n, above, needed)
