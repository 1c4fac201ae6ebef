"""The share of pixels whose class is right; frequent classes count most."""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.metrics._by_units import Units, ratio, resampled_sums


def pixel_accuracy(
    matrices: NDArray[np.integer], *, units: Units = None, draws: int = 1000, seed: int = 0
) -> Measured:
    """Return the share of all pixels that were given their class, with its BCa interval over pictures.

    Args:
        matrices: Of `pixel_confusion` for each picture, (N, K, K).
        units: What each picture belongs to, integers (N,); whole units are drawn.
        draws: Resamples.
        seed: Equal seeds give equal intervals.

    Returns:
        `n` is the number of pictures: pixels of one picture are not independent.

    Raises:
        UsageError: There is no picture, or no pixel of which anything is said.
    """
    right = matrices.trace(axis1=1, axis2=2)
    columns = np.stack([right, matrices.sum(axis=(1, 2))], axis=1)
    (found,) = resampled_sums(
        columns, lambda sums: ratio(sums[:, :1], sums[:, 1:]), units=units, draws=draws, seed=seed
    )
    if found is None:
        raise UsageError("pixel accuracy needs a pixel of which something is said", code="empty")
    return found
