"""The probability of all classes before this one: sets that grow with the image's difficulty.

Source: Romano, Sesia & Candès, "Classification with Valid and Adaptive Coverage", NeurIPS
2020. https://arxiv.org/abs/2006.02544
"""

import numpy as np
from numpy.typing import NDArray


def aps(
    probabilities: NDArray[np.floating], *, uniform: NDArray[np.floating] | None = None
) -> NDArray[np.float64]:
    """Return the sum of the probabilities that are larger, for every class, float64 (N, K).

    That is the least mass at which the generalized quantile takes the class in: the classes are
    added, most probable first, until the mass is reached. Of equal probabilities the first class is before.
    The best class scores 0, so no set is empty.

    Args:
        probabilities: Calibrated, float (N, K).
        uniform: A number in [0, 1] drawn for each image, (N,): so much of the class's own probability is
            added (the randomized sets), which makes the coverage exact and some sets empty.
    """
    values = probabilities.astype(np.float64)
    order = np.argsort(-values, axis=1, kind="stable")
    ranked = np.take_along_axis(values, order, axis=1)
    before = np.zeros_like(ranked)
    np.cumsum(ranked[:, :-1], axis=1, out=before[:, 1:])
    if uniform is not None:
        before += np.asarray(uniform, dtype=np.float64)[:, None] * ranked
    scores = np.empty_like(values)
    np.put_along_axis(scores, order, before, axis=1)
    return scores
