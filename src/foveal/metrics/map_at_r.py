"""The mean precision over the first R results, where R of the gallery are right.

It knows where the right ones stand, and a ranking is perfect only where all R come first. Source: Musgrave,
Belongie & Lim, "A Metric Learning Reality Check", 2020, equation 7.
"""

import numpy as np
from numpy.typing import NDArray


def map_at_r(relevant: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return MAP@R of each query, (Q,); NaN where nothing is relevant.

    Args:
        relevant: Whether each result is of the query's class, the most alike first, bool (Q, N): all that
            there are, without the query itself.
    """
    total = relevant.sum(axis=1)
    places = np.arange(1, relevant.shape[1] + 1)
    precision = np.cumsum(relevant, axis=1) / places
    within = relevant & (places <= total[:, None])
    with np.errstate(invalid="ignore"):
        value: NDArray[np.float64] = (precision * within).sum(axis=1) / total
    return value
