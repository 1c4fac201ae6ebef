"""How many independent pictures say as much as some of which a part belongs together.

The worst case is taken: that all pictures of a unit are answered alike. N pictures then say as much as
n = (Σ m)² / Σ m² independent ones, where m are the sizes of the units (Kish, "Survey Sampling", 1965, §5.4,
with an intraclass correlation of 1), and the same shares of n go into the intervals for independent pictures.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError


def independent_number(units: NDArray[np.int64] | None, count: int) -> float:
    """Return how many independent pictures say as much as these, in 1..`count`.

    Args:
        units: A number for each picture, equal for those that belong together, (N,); None: each stands alone.
        count: N, at least 1.

    Raises:
        UsageError: No picture.

    >>> independent_number(np.array([0, 0, 1, 1, 2, 2]), 6), independent_number(None, 6)
    (3.0, 6.0)
    """
    if count < 1:
        raise UsageError("a share needs at least one picture; got none", code="empty")
    if units is None:
        return float(count)
    sizes = np.unique(units, return_counts=True)[1].astype(np.float64)
    return float(sizes.sum() ** 2 / np.square(sizes).sum())
