"""What metrics that tell two groups apart by a score demand of them, said once."""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError

Floats = NDArray[np.float64]


def two_groups(higher: NDArray[np.floating], lower: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Return both as float64, M ≥ 1 and N ≥ 1 finite scores.

    Raises:
        UsageError: They are not such.
    """
    groups = np.asarray(higher, dtype=np.float64), np.asarray(lower, dtype=np.float64)
    for group in groups:
        if group.ndim != 1 or len(group) == 0:
            raise UsageError(f"need scores (N,), N ≥ 1, of both groups; got {group.shape}", code="empty")
        if not np.isfinite(group).all():
            raise UsageError("scores must be finite; got NaN or infinity")
    return groups
