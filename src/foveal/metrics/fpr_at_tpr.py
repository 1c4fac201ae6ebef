"""How many of the others a threshold catches that catches almost all of those it should.

Source: Liang, Li & Srikant, "Enhancing the Reliability of Out-of-distribution Image Detection in Neural
Networks", ICLR 2018 (false positive rate at 95 % true positive rate).
"""

import math

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.metrics._two_groups import two_groups
from foveal.metrics.clopper_pearson import clopper_pearson


def fpr_at_tpr(higher: NDArray[np.floating], lower: NDArray[np.floating], *, tpr: float = 0.95) -> Measured:
    """Return the share of `lower` at or above the highest threshold with at least `tpr` of `higher` there.

    The interval is about chance in `lower`, given the threshold; that it was found on these very scores is
    not in it.

    Args:
        higher: Scores of those to catch, (M,), M ≥ 1, finite.
        lower: Scores of those to let pass, (N,), N ≥ 1.
        tpr: Share to catch, in (0, 1].

    Raises:
        UsageError: The scores or the share are not such.
    """
    caught, passing = two_groups(higher, lower)
    if not 0 < tpr <= 1:
        raise UsageError(f"tpr is a share in (0, 1]; got {tpr}")
    needed = math.ceil(round(tpr * len(caught), 9))
    threshold = np.sort(caught)[len(caught) - needed]
    return clopper_pearson(int((passing >= threshold).sum()), len(passing))
