"""Sets that keep the promise for the images of each class, rare and difficult ones too.

Source: Vovk, Gammerman & Shafer, "Algorithmic Learning in a Random World", 2005 (label-conditional
Mondrian predictors); Sadinle, Lei & Wasserman, "Least Ambiguous Set-Valued Classifiers", 2019.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.sets._quantile import checked, quantile
from foveal.tasks.classify.decode import Conformal
from foveal.tasks.classify.set_scores.lac import lac as score


def mondrian(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    alpha: float = 0.1,
    delta: float | None = None,
) -> Conformal:
    """Return the rule whose sets miss the images of each class with probability at most `alpha`.

    The scores are those of `lac`, and each class has the quantile of its own images. A class with fewer than
    1 / alpha - 1 of them has none, and is in every set.

    Args:
        probabilities: Calibrated, float (N, K), of images that were used for nothing else.
        labels: Integers (N,) in [0, K).
        alpha: Promised share of misses among the images of each class, in (0, 1).
        delta: Probability that the promise is wrong for a class, given these images; None: it is an
            average over draws.

    Raises:
        UsageError: The arrays, `alpha` or `delta` are not such.
    """
    checked(probabilities, labels, alpha, delta)
    scores = score(probabilities)[np.arange(len(labels)), labels]
    own = [scores[labels == k] for k in range(probabilities.shape[1])]
    quantiles = tuple(quantile(some, alpha, delta) for some in own)
    return Conformal(
        method="mondrian",
        alpha=alpha,
        quantile=max((one for one in quantiles if one is not None), default=None),
        n=len(labels),
        delta=delta,
        quantiles=quantiles,
        counts=tuple(len(some) for some in own),
    )
