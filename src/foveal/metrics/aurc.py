"""How well the confidence says which answers to withhold: the area under the risk-coverage curve.

Source: Geifman, Uziel & El-Yaniv, "Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers", 2019.
https://arxiv.org/abs/1805.08206
"""

import numpy as np
from numpy.typing import NDArray

from foveal.metrics.risk_coverage import risk_coverage


def aurc(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the mean, over all images, of the risk when answering that one and all more confident ones.

    It mixes how often the network is right with how well it knows when: `e_aurc` takes the first away.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).

    Raises:
        UsageError: The arrays are not such.
    """
    return risk_coverage(probabilities, labels).aurc
