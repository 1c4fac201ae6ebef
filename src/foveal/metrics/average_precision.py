"""The mean precision over the places of all right results: over the whole ranking, cut nowhere.

Source: Manning, Raghavan & Schütze, "Introduction to Information Retrieval", 2008, §8.4.
"""

import numpy as np
from numpy.typing import NDArray


def average_precision(relevant: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the average precision of each query, (Q,); NaN where nothing is relevant.

    Args:
        relevant: Whether each result is of the query's class, the most alike first, bool (Q, N): all that
            there are, without the query itself.
    """
    precision = np.cumsum(relevant, axis=1) / np.arange(1, relevant.shape[1] + 1)
    with np.errstate(invalid="ignore"):
        value: NDArray[np.float64] = (precision * relevant).sum(axis=1) / relevant.sum(axis=1)
    return value
