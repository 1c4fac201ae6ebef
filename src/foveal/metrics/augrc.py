"""The chance of an error that is not caught, averaged over all thresholds on the confidence.

Source: Traub et al., "Overcoming Common Flaws in the Evaluation of Selective Classification Systems", NeurIPS
2024. Unlike the AURC it weighs every error alike, not those of high confidence many times.
https://arxiv.org/abs/2407.01032
"""

import numpy as np
from numpy.typing import NDArray

from foveal.metrics.risk_coverage import risk_coverage


def augrc(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the area under (share answered and wrong) over (share answered), in [0, 0.5]; 0 is best.

    It is (1 - A) a (1 - a) + (1 - a)² / 2, where a is the accuracy and A the probability that a right answer
    is more confident than a wrong one.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).

    Raises:
        UsageError: The arrays are not such.
    """
    curve = risk_coverage(probabilities, labels)
    answered = np.append(0.0, curve.coverage)
    wrong = np.append(0.0, curve.coverage * curve.risk)
    return float(np.trapezoid(wrong, answered))
