"""By how much the network is surer than it is right.

Source: Nixon et al., "Measuring Calibration in Deep Learning", 2019; the sign that a calibration error hides.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.metrics._arrays import check


def overconfidence(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the mean confidence minus the accuracy, in [-1, 1]; below 0 it is too modest.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).

    Raises:
        UsageError: The arrays are not such.
    """
    return float(overconfidence_per_image(probabilities, labels).mean())


def overconfidence_per_image(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return confidence minus 1 where the answer is right, float64 (N,): the form that `bootstrap` takes."""
    check(probabilities, labels)
    confidence = probabilities.max(axis=1).astype(np.float64)
    excess: NDArray[np.float64] = confidence - (probabilities.argmax(axis=1) == labels)
    return excess
