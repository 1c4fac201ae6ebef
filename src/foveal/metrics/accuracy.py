"""How often the most probable class is the true one."""

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.metrics._arrays import check
from foveal.metrics.clopper_pearson import clopper_pearson


def accuracy(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> Measured:
    """Return the share of images whose most probable class (the first, in a tie) is the label.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).

    Raises:
        UsageError: The arrays are not such.

    >>> accuracy(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1])).value
    0.5
    """
    check(probabilities, labels)
    return clopper_pearson(int((probabilities.argmax(axis=1) == labels).sum()), len(labels))
