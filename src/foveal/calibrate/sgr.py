"""A proven threshold by binary search: another bound for the promise of `abstain`, to compare it with.

Source: Geifman & El-Yaniv, "Selective Classification for Deep Neural Networks", NeurIPS 2017, algorithm 2
(selection with guaranteed risk). https://arxiv.org/abs/1705.08500

Where the paper searches among the images' own confidences, this searches among thresholds that were chosen on
other images, as `abstain` does. Both divide delta by the number of steps. That is enough where the risk
rises as the threshold falls: then the thresholds above the limit that can be the first to be accepted are
those on one path, however chance decides. Where the surest answers are not the best, the path depends on
chance and the division proves less than it says. `abstain` assumes nothing of the kind, so it is what a
bundle is sealed with.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.abstain import answered_and_wrong
from foveal.core.promises import DELTA, RISK, images_needed
from foveal.metrics.binomial_cdf import binomial_cdf
from foveal.tasks.classify.decode import Abstain


def sgr(
    confidence: NDArray[np.floating],
    correct: NDArray[np.bool_],
    *,
    thresholds: NDArray[np.float64],
    risk: float = RISK,
    delta: float = DELTA,
) -> Abstain:
    """Return the loosest threshold that the search proves; arguments, result and errors as of `abstain`.

    Each of the ceil(log2(M + 1)) steps through M thresholds is an exact binomial test at delta divided by
    their number.
    """
    needed = images_needed(risk, delta)
    answered, errors = answered_and_wrong(confidence, correct, thresholds)
    proven, refuted = -1, len(thresholds)
    each = delta / max(1, refuted.bit_length())
    while refuted - proven > 1:
        middle = (proven + refuted) // 2
        if binomial_cdf(int(errors[middle]), int(answered[middle]), risk) <= each:
            proven = middle
        else:
            refuted = middle
    threshold = float(thresholds[proven]) if proven >= 0 else None
    return Abstain(
        threshold=threshold,
        risk=risk,
        delta=delta,
        n=len(confidence),
        needed=needed if threshold is None else None,
    )
