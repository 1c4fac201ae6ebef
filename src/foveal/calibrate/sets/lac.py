"""The smallest sets on average: all classes above one probability.

Source: Sadinle, Lei & Wasserman, "Least Ambiguous Set-Valued Classifiers", 2019.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.sets._quantile import checked, quantile
from foveal.tasks.classify.decode import Conformal
from foveal.tasks.classify.set_scores.lac import lac as score


def lac(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    alpha: float = 0.1,
    delta: float | None = None,
) -> Conformal:
    """Return the rule whose sets miss the true class with probability at most `alpha`.

    An image's score is 1 - probability of its true class; see `quantile` for what becomes of them. The
    promise is an average over images like these, not one for each class or each image.

    Args:
        probabilities: Calibrated, float (N, K); the images were used for nothing else, not even for the
            temperature.
        labels: Integers (N,) in [0, K). No image at all gives a quantile of None.
        alpha: Promised share of misses, in (0, 1).
        delta: Probability that the promise is wrong for these images; None: it is an average over draws.

    Raises:
        UsageError: The arrays, `alpha` or `delta` are not such.
    """
    checked(probabilities, labels, alpha, delta)
    scores = score(probabilities)[np.arange(len(labels)), labels]
    return Conformal(alpha=alpha, quantile=quantile(scores, alpha, delta), n=len(labels), delta=delta)
