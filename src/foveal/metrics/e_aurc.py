"""What the confidence costs beyond the errors themselves: the excess area under the risk-coverage curve.

Source: Geifman, Uziel & El-Yaniv, "Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers", 2019.
Their approximation of the least area, r + (1 - r) ln(1 - r), is replaced by its exact value for N images.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.metrics.risk_coverage import risk_coverage


def e_aurc(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the AURC minus that of a confidence which puts all errors last; 0 is best.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).

    Raises:
        UsageError: The arrays are not such.
    """
    found = risk_coverage(probabilities, labels).aurc
    n, wrong = len(labels), int((probabilities.argmax(axis=1) != labels).sum())
    cuts = np.arange(n - wrong + 1, n + 1)
    least = float(((cuts - (n - wrong)) / cuts).sum()) / n
    return max(found - least, 0.0)
