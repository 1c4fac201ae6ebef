"""Right answers on known images against false answers on unknown ones, over all thresholds.

Source: Dhamija, Günther & Boult, "Reducing Network Agnostophobia", NeurIPS 2018 (open-set
classification rate). https://arxiv.org/abs/1811.04110
"""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.metrics._two_groups import two_groups


def oscr(known: NDArray[np.floating], correct: NDArray[np.bool_], unknown: NDArray[np.floating]) -> float:
    """Return the area under the correct classification rate over the false positive rate, in [0, 1].

    It is the share of pairs (known image, unknown image) in which the known one is named correctly and has
    the higher score; equal scores count half. At most the accuracy, which it reaches where all unknown ones
    score lower.

    Args:
        known: Scores of known images, high where the network is sure it knows them, (N,), N ≥ 1, finite.
        correct: Whether their answers are right, bool (N,).
        unknown: Scores of unknown images, (M,), M ≥ 1.

    Raises:
        UsageError: The arrays are not such.
    """
    sure, strange = two_groups(known, unknown)
    if correct.shape != sure.shape or correct.dtype != np.bool_:
        raise UsageError(f"need correct bool {sure.shape}; got {correct.dtype} {correct.shape}")
    ordered = np.sort(strange)
    beaten = np.searchsorted(ordered, sure, side="left") + np.searchsorted(ordered, sure, side="right")
    return float((beaten * correct).sum() / (2 * len(ordered) * len(sure)))
