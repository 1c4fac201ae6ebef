"""Prediction sets that hold the true class as often as promised, whatever the network is worth.

Source: Sadinle, Lei & Wasserman, "Least Ambiguous Set-Valued Classifiers", 2019 (LAC); the finite-sample
quantile: Vovk et al., 2005, and Angelopoulos & Bates, "A Gentle Introduction to Conformal Prediction",
2021, §1. https://arxiv.org/abs/2107.07511
"""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.promises import conformal_rank
from foveal.metrics._arrays import check
from foveal.tasks.classify.decode import Conformal


def lac(probabilities: NDArray[np.floating], labels: NDArray[np.integer], *, alpha: float = 0.1) -> Conformal:
    """Return the rule whose sets miss the true class with probability at most `alpha`.

    An image's score is 1 - probability of its true class; the quantile is the k-th smallest of the N
    scores, k = ceil((N + 1)(1 - alpha)). The +1 is the image to come: without it the sets miss more often
    than promised, at N = 20 and alpha = 0.1 in 13.7 % of cases. Where k > N no score is large enough and
    the quantile is None: the set is all classes.

    The promise is an average over images like these, not one for each class or each image.

    Args:
        probabilities: Calibrated, float (N, K); the images were used for nothing else, not even for the
            temperature.
        labels: Integers (N,) in [0, K). No image at all gives a quantile of None.
        alpha: Promised share of misses, in (0, 1).

    Raises:
        UsageError: The arrays or `alpha` are not such.
    """
    if not 0 < alpha < 1:
        raise UsageError(f"alpha is a share of misses in (0, 1); got {alpha}")
    n = len(labels)
    k = conformal_rank(n, alpha)
    if n:
        check(probabilities, labels)
    if k > n:
        return Conformal(alpha=alpha, quantile=None, n=n)
    scores = 1.0 - probabilities[np.arange(n), labels].astype(np.float64)
    return Conformal(alpha=alpha, quantile=float(np.partition(scores, k - 1)[k - 1]), n=n)
