"""The highest score of each class from which on a recall is proven: few objects are missed.

Source: Bates et al., "Distribution-Free, Risk-Controlling Prediction Sets", JACM 2021, theorem 1. What is
missed only grows with the threshold, so every score of the calibration pictures may be tried without
paying for it. https://arxiv.org/abs/2101.02703
"""

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.proven import (
    Floats,
    Loss,
    ProvenThreshold,
    by_unit,
    check_promise,
    losses_of,
    p_value,
    refused,
)
from foveal.core.promises import DELTA
from foveal.metrics.match import Matches


def recall_thresholds(
    matches: Matches,
    *,
    recall: float = 0.95,
    delta: float = DELTA,
    loss: Loss = "share",
    units: NDArray[np.integer] | None = None,
) -> tuple[ProvenThreshold, ...]:
    """Return for each class the highest threshold for which P(mean loss > 1 − recall) ≤ delta.

    The loss of a picture with objects of the class is the share of them that is missed, or, with `any`,
    whether one is: then the test is exact, and "1 − recall" is the share of pictures on which something is
    missed. Each promise holds by itself; for all K classes at once divide delta by K.

    Args:
        matches: Of calibration pictures that chose nothing else, for one limit of the overlap. With `most` as
            at work: what is left out is missed.
        recall: Promised, in (0, 1).
        delta: Probability that the promise is wrong.
        loss: `share` or `any`.
        units: What each picture belongs to, integers (N,): pictures of one unit are one.

    Returns:
        A threshold of None where not even showing everything is proven. It lies between two scores. `n` is
        the number of units with objects of the class.

    Raises:
        UsageError: The arguments are not such.
    """
    limit = round(1 - recall, 12)
    check_promise(matches, limit, delta, loss)
    classes = matches.truths.shape[1]
    return tuple(_of_class(matches, label, limit, delta, loss, units) for label in range(classes))


def _of_class(
    matches: Matches,
    label: int,
    limit: float,
    delta: float,
    loss: Loss,
    units: NDArray[np.integer] | None,
) -> ProvenThreshold:
    scores = matches.scores[(matches.labels == label) & matches.right[0]]  # falling

    def losses(shown: int) -> Floats:
        """Return the losses if the `shown` surest of the right findings are shown."""
        return _missed(matches, label, shown, loss, units)

    everything = losses(len(scores))
    if p_value(everything, limit=limit, loss=loss) > delta or len(scores) == 0:
        return refused(everything, loss=loss, limit=limit, delta=delta)
    too_few, enough = -1, len(scores)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if p_value(losses(middle), limit=limit, loss=loss) <= delta:
            enough = middle
        else:
            too_few = middle
    enough = max(enough, 1)
    lowest = scores[enough - 1]
    below = matches.scores[(matches.labels == label) & (matches.scores < lowest)]
    threshold = float((lowest + (below[0] if len(below) else min(0.0, lowest))) / 2)
    kept = losses(int((scores >= threshold).sum()))
    return ProvenThreshold(threshold, loss, limit, delta, len(kept), float(kept.mean()), None)


def _missed(
    matches: Matches, label: int, shown: int, loss: Loss, units: NDArray[np.integer] | None
) -> Floats:
    truths = matches.truths[:, label]
    images = matches.images[(matches.labels == label) & matches.right[0]][:shown]
    found = np.bincount(images, minlength=len(truths))
    return losses_of(by_unit(truths - found, units), by_unit(truths, units), loss)
