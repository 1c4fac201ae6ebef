"""The finite-sample quantile of the scores, which every rule shares.

Source: Vovk et al., "Algorithmic Learning in a Random World", 2005; Angelopoulos & Bates, "A Gentle
Introduction to Conformal Prediction", 2021, §1. https://arxiv.org/abs/2107.07511
"""

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.pac_rank import pac_rank
from foveal.core.errors import UsageError
from foveal.core.promises import conformal_rank
from foveal.metrics._arrays import check


def checked(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], alpha: float, delta: float | None
) -> None:
    """Refuse arrays that are no answers, and shares outside (0, 1); no image at all is allowed.

    Raises:
        UsageError: The message says what was needed.
    """
    if not 0 < alpha < 1:
        raise UsageError(f"alpha is a share of misses in (0, 1); got {alpha}")
    if delta is not None and not 0 < delta < 1:
        raise UsageError(f"delta is a probability in (0, 1); got {delta}")
    if len(labels):
        check(probabilities, labels)


def quantile(scores: NDArray[np.float64], alpha: float, delta: float | None) -> float | None:
    """Return the k-th smallest score, k = ceil((N + 1)(1 - alpha)), or None where k > N.

    The +1 is the image to come: without it the sets miss more often than promised, at N = 20 and alpha = 0.1
    in 13.7 % of cases. Where k > N no score is large enough: the set is all classes.

    Args:
        scores: Of each image's true class, float64 (N,).
        alpha: Promised share of misses.
        delta: None, or the k is that of `pac_rank`.
    """
    n = len(scores)
    k = conformal_rank(n, alpha) if delta is None else pac_rank(n, alpha, delta)
    return None if k > n else float(np.partition(scores, k - 1)[k - 1])
