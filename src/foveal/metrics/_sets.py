"""What every metric of prediction sets demands of its arrays, said once."""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError


def check_sets(sets: NDArray[np.bool_], labels: NDArray[np.integer]) -> None:
    """Refuse anything but N ≥ 1 sets, bool (N, K), with N labels in [0, K).

    Raises:
        UsageError: The message says what was needed and what was got.
    """
    if sets.ndim != 2 or sets.dtype != np.bool_ or labels.shape != sets.shape[:1] or not len(sets):
        raise UsageError(
            f"need sets bool (N, K) and N ≥ 1 labels; got {sets.dtype} {sets.shape} and {labels.shape}"
        )
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0 or labels.max() >= sets.shape[1]:
        raise UsageError(f"labels must be integers in [0, {sets.shape[1]})")
