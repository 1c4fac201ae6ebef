"""The probability that a score ranks a defective part above a good one, where pictures belong together.

As `auroc`, with an interval over whole units: several pictures of one part are hardly more than one. Source
of the problem, and of a variance in closed form: Obuchowski, "Nonparametric Analysis of Clustered ROC Curve
Data", Biometrics 1997.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.metrics._by_units import Floats, Ints, Units, ratio, resampled


def clustered_auroc(
    scores: NDArray[np.floating],
    positive: NDArray[np.bool_],
    *,
    units: Units = None,
    draws: int = 1000,
    seed: int = 0,
) -> Measured:
    """Return the area under the receiver operating characteristic, with a BCa interval over units.

    Args:
        scores: (N,), finite.
        positive: Of which the scores should be higher, bool (N,); of each kind at least one.
        units: What each picture belongs to, integers (N,).
        draws: Resamples.
        seed: Equal seeds give equal intervals.

    Returns:
        `n` is N. Equal scores count half.

    Raises:
        UsageError: The scores are not such, or one of the groups is empty.
    """
    scores, positive = np.asarray(scores, np.float64), np.asarray(positive)
    if scores.ndim != 1 or positive.shape != scores.shape or positive.dtype != np.bool_:
        raise UsageError(f"need scores (N,) and bool (N,); got {scores.shape} and {positive.shape}")
    if not np.isfinite(scores).all() or positive.all() or not positive.any():
        raise UsageError("need finite scores of pictures of both groups", code="empty")
    above, below = scores[positive][:, None], scores[~positive][None, :]
    right = (above > below) + 0.5 * (above == below)

    def areas(times: Ints) -> Floats:
        up, down = times[:, positive].astype(np.float64), times[:, ~positive].astype(np.float64)
        won = ((up @ right) * down).sum(axis=1)
        return ratio(won, up.sum(axis=1) * down.sum(axis=1))[:, None]

    [found] = resampled(len(scores), areas, units=units, draws=draws, seed=seed)
    assert found is not None  # both groups are there
    return found
