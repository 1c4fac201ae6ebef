"""How often an attack got what it wanted."""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.metrics.clopper_pearson import clopper_pearson


def attack_success(
    before: NDArray[np.integer],
    after: NDArray[np.integer],
    labels: NDArray[np.integer],
    target: int | None = None,
) -> Measured:
    """Return the share of pictures named correctly before that are named wrongly, or as the target, after.

    Args:
        before: Answers for the pictures as they are, class indices (N,).
        after: Answers under attack, (N,).
        labels: The truth, (N,).
        target: The class they were to be taken for; pictures of that class do not count. None: any wrong one.

    Raises:
        UsageError: Arrays of other shapes, or no picture counts.

    >>> truth = np.array([0, 1, 2, 1])
    >>> attack_success(np.array([0, 1, 1, 1]), np.array([2, 1, 2, 2]), truth, target=2).value
    0.6666666666666666
    """
    if not before.shape == after.shape == labels.shape or labels.ndim != 1:
        raise UsageError(f"need three times (N,); got {before.shape}, {after.shape} and {labels.shape}")
    counts = before == labels
    if target is not None:
        counts &= labels != target
    if not counts.any():
        raise UsageError("no picture was named correctly before; nothing can be taken away", code="empty")
    won = after[counts] != labels[counts] if target is None else after[counts] == target
    return clopper_pearson(int(won.sum()), int(counts.sum()))
