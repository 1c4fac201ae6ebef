"""How often one of the first k results is right.

Source: Musgrave, Belongie & Lim, "A Metric Learning Reality Check", 2020, §3.2.
"""

import numpy as np
from numpy.typing import NDArray


def recall_at_k(relevant: NDArray[np.bool_], k: int) -> NDArray[np.float64]:
    """Return for each query 1 where one of its first k results is of its class, else 0, (Q,).

    Args:
        relevant: Whether each result is of the query's class, the most alike first, bool (Q, N); the query
            itself is not among its results.
        k: At least 1; with fewer results all of them count.
    """
    found: NDArray[np.float64] = np.asarray(relevant[:, :k].any(axis=1), np.float64)
    return found
