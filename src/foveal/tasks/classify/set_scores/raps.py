"""The probability before a class, and a penalty for its rank: no long tail of improbable classes in a set.

Source: Angelopoulos, Bates, Malik & Jordan, "Uncertainty Sets for Image Classifiers using Conformal
Prediction", ICLR 2021, equation 4. https://arxiv.org/abs/2009.14193
"""

import numpy as np
from numpy.typing import NDArray

from foveal.tasks.classify.set_scores.aps import aps


def raps(
    probabilities: NDArray[np.floating],
    *,
    penalty: float,
    free: int,
    uniform: NDArray[np.floating] | None = None,
) -> NDArray[np.float64]:
    """Return the score of `aps` plus `penalty` for each rank beyond `free`, float64 (N, K).

    Args:
        probabilities: Calibrated, float (N, K).
        penalty: What a rank costs, at least 0 (the paper's λ); 0 gives `aps`.
        free: How many ranks cost nothing, at least 0 (the paper's k_reg).
        uniform: As in `aps`.
    """
    order = np.argsort(-probabilities.astype(np.float64), axis=1, kind="stable")
    scores = aps(probabilities, uniform=uniform)
    costs = penalty * np.maximum(np.arange(1, probabilities.shape[1] + 1) - free, 0)
    added = np.empty_like(scores)
    np.put_along_axis(added, order, np.broadcast_to(costs, scores.shape), axis=1)
    scores += added
    return scores
