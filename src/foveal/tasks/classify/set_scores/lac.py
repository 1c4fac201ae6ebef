"""One minus the probability: the smallest sets on average.

Source: Sadinle, Lei & Wasserman, "Least Ambiguous Set-Valued Classifiers", 2019.
"""

import numpy as np
from numpy.typing import NDArray


def lac(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return 1 - p for every class, float64 (N, K).

    Args:
        probabilities: Calibrated, float (N, K).
    """
    scores: NDArray[np.float64] = 1.0 - probabilities.astype(np.float64)
    return scores
