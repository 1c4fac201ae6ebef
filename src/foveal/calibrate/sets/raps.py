"""Sets that grow where an image is difficult, but not by a tail of improbable classes.

Source: Angelopoulos, Bates, Malik & Jordan, "Uncertainty Sets for Image Classifiers using Conformal
Prediction", ICLR 2021; how to choose penalty and free ranks: appendix E. https://arxiv.org/abs/2009.14193
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.sets._quantile import checked, quantile
from foveal.tasks.classify.decode import Conformal, prediction_sets
from foveal.tasks.classify.set_scores.raps import raps as score

_PENALTIES = (0.001, 0.01, 0.1, 0.2, 0.5)


@dataclass(frozen=True)
class Penalty:
    """What a rank costs.

    Attributes:
        each: Added to the score for each rank beyond the free ones, at least 0.
        free: Ranks that cost nothing, at least 0.
    """

    each: float = 0.1
    free: int = 1


def raps(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    alpha: float = 0.1,
    delta: float | None = None,
    penalty: Penalty = Penalty(),
    uniform: NDArray[np.floating] | None = None,
) -> Conformal:
    """Return the rule whose sets miss the true class with probability at most `alpha`.

    Args:
        probabilities: Calibrated, float (N, K), of images that were used for nothing else.
        labels: Integers (N,) in [0, K).
        alpha: Promised share of misses, in (0, 1).
        delta: Probability that the promise is wrong for these images; None: it is an average over draws.
        penalty: Chosen without looking at these images: see `penalty_for`.
        uniform: As in `aps`.

    Raises:
        UsageError: The arrays, `alpha` or `delta` are not such.
    """
    checked(probabilities, labels, alpha, delta)
    scores = score(probabilities, penalty=penalty.each, free=penalty.free, uniform=uniform)
    return Conformal(
        method="raps",
        alpha=alpha,
        quantile=quantile(scores[np.arange(len(labels)), labels], alpha, delta),
        n=len(labels),
        delta=delta,
        penalty=penalty.each,
        free=penalty.free,
        randomized=uniform is not None,
    )


def penalty_for(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], *, alpha: float = 0.1
) -> Penalty:
    """Return the penalty with the smallest sets on the tuning images.

    As many ranks are free as hold the truth in 1 - alpha of them; of the prices of a rank the one with the
    smallest sets is taken, the lowest where several have.

    Args:
        probabilities: Calibrated, of images that prove nothing, float (M, K). No image gives the default.
        labels: Integers (M,) in [0, K).
        alpha: Of the sets.

    Raises:
        UsageError: The arrays or `alpha` are not such.
    """
    checked(probabilities, labels, alpha, None)
    if len(labels) == 0:
        return Penalty()
    order = np.argsort(-probabilities.astype(np.float64), axis=1, kind="stable")
    ranks = (order == labels[:, None]).argmax(axis=1) + 1
    free = int(quantile(ranks.astype(np.float64), alpha, None) or 1)
    sizes = []
    for each in _PENALTIES:
        rule = raps(probabilities, labels, alpha=alpha, penalty=Penalty(each, free))
        sizes.append(float(prediction_sets(probabilities, rule).sum(axis=1).mean()))
    return Penalty(_PENALTIES[int(np.argmin(sizes))], free)
