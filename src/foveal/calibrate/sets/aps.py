"""Sets that grow where an image is difficult: the most probable classes up to a mass.

Source: Romano, Sesia & Candès, "Classification with Valid and Adaptive Coverage", NeurIPS 2020.
https://arxiv.org/abs/2006.02544
"""

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.sets._quantile import checked, quantile
from foveal.tasks.classify.decode import Conformal
from foveal.tasks.classify.set_scores.aps import aps as score


def aps(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    alpha: float = 0.1,
    delta: float | None = None,
    uniform: NDArray[np.floating] | None = None,
) -> Conformal:
    """Return the rule whose sets miss the true class with probability at most `alpha`.

    Without `uniform` the score of the best class is 0: a network that is right in more than 1 - alpha of the
    cases gets sets with one class, which hold the truth as often as it is right.

    Args:
        probabilities: Calibrated, float (N, K), of images that were used for nothing else.
        labels: Integers (N,) in [0, K).
        alpha: Promised share of misses, in (0, 1).
        delta: Probability that the promise is wrong for these images; None: it is an average over draws.
        uniform: Drawn for each image, (N,) in [0, 1]; the rule is then randomized, and wants a number for
            each image that it is applied to.

    Raises:
        UsageError: The arrays, `alpha` or `delta` are not such.
    """
    checked(probabilities, labels, alpha, delta)
    scores = score(probabilities, uniform=uniform)[np.arange(len(labels)), labels]
    return Conformal(
        method="aps",
        alpha=alpha,
        quantile=quantile(scores, alpha, delta),
        n=len(labels),
        delta=delta,
        randomized=uniform is not None,
    )
