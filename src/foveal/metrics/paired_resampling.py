"""By how much one recognizer is better than another on the same pictures, where no mean over them says it.

Mean average precision and mean intersection over union come from all pictures together. So pictures are drawn
again for both at once, which gives the interval (Efron, "Better bootstrap confidence intervals", 1987). And
for each picture, or group of them, a toss decides whose answers are called the first's, which gives the
p-value (Fisher 1935; Yeh, "More accurate tests for the statistical significance of result differences",
2000): it keeps its level on few pictures, where the interval is too narrow.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.random import stream
from foveal.core.types import Measured
from foveal.metrics._by_units import Units, resampled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Value = Callable[[Ints], Floats]
"""Maps how often the answers of the first for each picture count, and those of the second, int64 (B, 2N), to
what they are worth, float64 (B,); NaN where that is not defined."""

_DRAWS = 1000
_ENDS = 20  # resamples beyond each end of an interval, at least
_TOSSES = 2000
_AT_ONCE = 100
_ROUNDED = 1e-9


class Paired(NamedTuple):
    """What was found: the first minus the second with its interval, and how often chance gives as much."""

    difference: Measured
    p_value: float


def paired_resampling(
    value: Value, images: int, *, units: Units = None, confidence: float = 0.95, seed: int = 0
) -> Paired:
    """Return by how much the first is better, with a BCa interval, and the two-sided p-value of none.

    Args:
        value: What answers are worth.
        images: N.
        units: What each picture belongs to, integers (N,); whole units are drawn and tossed for.
        confidence: Of the interval, in (0, 1).
        seed: Of draws and tosses.

    Returns:
        `n` is N; the p-value is at least 1 / 2,001.

    Raises:
        UsageError: There is no picture, or the worth of all of them is not defined.
    """

    def apart(times: Ints) -> Floats:
        none = np.zeros_like(times)
        ours, theirs = np.concatenate([times, none], axis=1), np.concatenate([none, times], axis=1)
        return value(ours) - value(theirs)

    draws = max(_DRAWS, round(2 * _ENDS / (1 - confidence)))
    [difference] = resampled(
        images,
        lambda times: apart(times)[:, None],
        units=units,
        draws=draws,
        seed=seed,
        confidence=confidence,
    )
    if difference is None:
        raise UsageError("a difference needs something to be found on the pictures", code="empty")
    return Paired(difference, _tossed(value, difference.value, images, units, seed))


def _tossed(value: Value, found: float, images: int, units: Units, seed: int) -> float:
    """Return how often tosses about whose answers are whose make a difference as large as was found."""
    place = np.arange(images) if units is None else np.unique(units, return_inverse=True)[1]
    rng, reached = stream(seed, "paired-resampling"), 0
    for _ in range(_TOSSES // _AT_ONCE):
        first = rng.integers(0, 2, (_AT_ONCE, int(place.max()) + 1))[:, place]
        one = value(np.concatenate([first, 1 - first], axis=1))
        other = value(np.concatenate([1 - first, first], axis=1))
        reached += int((np.abs(one - other) >= abs(found) - _ROUNDED).sum())
    return (reached + 1) / (_TOSSES + 1)
