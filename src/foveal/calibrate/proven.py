"""Thresholds of a detector that are proven on calibration pictures, and the tests that prove them.

The unit is the picture (or the group of pictures that belong together), as objects on one picture are not
independent: each picture has a loss in [0, 1], and the promise is about its mean over pictures like these.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.metrics.binomial_cdf import binomial_cdf
from foveal.metrics.hoeffding_bentkus import hoeffding_bentkus
from foveal.metrics.match import Matches

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Loss = Literal["share", "any"]
_MOST = 1 << 20  # where the search for how many pictures are needed ends


@dataclass(frozen=True)
class ProvenThreshold:
    """A score, and what is promised of the findings at or above it.

    Attributes:
        threshold: None where nothing could be proven.
        loss: `share`: the share of a picture's objects that are missed (or of its findings that are wrong);
            `any`: whether there is one.
        limit: The mean loss over pictures is at most this …
        delta: … and it is more with at most this probability, over the draw of the calibration pictures.
        n: Pictures (units) that proved it.
        observed: Mean loss of these, an estimate; without a threshold that of the first that was tested, or
            of showing everything where recall was asked for. None where there was no picture.
        needed: Without a threshold, about how many pictures would prove it if the mean loss were as observed
            (0 where there was none); None where the loss is at the limit or above, and no number would.
    """

    threshold: float | None
    loss: Loss
    limit: float
    delta: float
    n: int
    observed: float | None
    needed: int | None


def p_value(losses: Floats, *, limit: float, loss: Loss) -> float:
    """Return a p-value for "the mean loss is above `limit`"; exact where losses are 0 or 1, 1 without any.

    Which test it is must not depend on the losses, so a share that happens to be 0 or 1 is no such loss.
    """
    if len(losses) == 0:
        return 1.0
    return _p_value(float(losses.mean()), len(losses), limit, loss)


def refused(losses: Floats, *, loss: Loss, limit: float, delta: float) -> ProvenThreshold:
    """Return that nothing was proven, and how many pictures would be needed.

    Args:
        losses: At the threshold where a proof is likeliest, (n,).
        loss: What they are.
        limit: Of their mean.
        delta: Probability that the promise is wrong.
    """
    mean = float(losses.mean()) if len(losses) else 0.0
    observed = mean if len(losses) else None
    return ProvenThreshold(None, loss, limit, delta, len(losses), observed, _needed(mean, limit, delta, loss))


def by_unit(counts: Ints, units: NDArray[np.integer] | None) -> Ints:
    """Return counts of each unit, (U,), from those of each picture, (N,).

    Raises:
        UsageError: There is not one unit for each picture.
    """
    if units is None:
        return counts
    if np.shape(units) != counts.shape:
        raise UsageError(f"need one unit for each of {len(counts)} pictures; got shape {np.shape(units)}")
    return np.bincount(np.unique(units, return_inverse=True)[1], weights=counts).astype(np.int64)


def losses_of(bad: Ints, all_of_them: Ints, loss: Loss) -> Floats:
    """Return the loss of each unit that has any objects or findings."""
    there = all_of_them > 0
    if loss == "any":
        return (bad[there] > 0).astype(np.float64)
    share: Floats = bad[there] / all_of_them[there]
    return share


def check_promise(matches: Matches, limit: float, delta: float, loss: str) -> None:
    """Refuse matches for several limits of the overlap, and numbers that are no shares.

    Raises:
        UsageError: The message says what was needed and what was got.
    """
    matches.only()
    if not (0 < limit < 1 and 0 < delta < 1):
        raise UsageError(f"promises and delta are shares in (0, 1); got {limit} and {delta}")
    if loss not in ("share", "any"):
        raise UsageError(f"loss is 'share' or 'any'; got {loss!r}")


def _p_value(mean: float, n: int, limit: float, loss: Loss) -> float:
    if loss == "any":
        return binomial_cdf(round(mean * n), n, limit)
    return hoeffding_bentkus(mean, n, limit)


def _needed(mean: float, limit: float, delta: float, loss: Loss) -> int | None:
    if mean >= limit:
        return None
    failing, enough = 0, 1
    while _p_value(mean, enough, limit, loss) > delta:
        failing, enough = enough, 2 * enough
        if enough > _MOST:
            return None
    while enough - failing > 1:
        middle = (failing + enough) // 2
        if _p_value(mean, middle, limit, loss) > delta:
            failing = middle
        else:
            enough = middle
    return enough
