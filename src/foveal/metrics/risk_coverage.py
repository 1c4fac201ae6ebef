"""How the error falls when the least confident answers are withheld.

Source: Geifman & El-Yaniv, "Selective Classification for Deep Neural Networks", 2017; the area under the
curve: Geifman et al., "Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers", 2019.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.metrics._arrays import check


@dataclass(frozen=True)
class RiskCoverage:
    """The curve, one point per distinct confidence, strictest first.

    Attributes:
        coverage: Share of images answered, rising to 1, float64 (P,).
        risk: Share of errors among them, float64 (P,).
        aurc: Area under the curve: the mean, over all images, of the risk when answering that image and
            every more confident one. 0 is best.
    """

    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]
    aurc: float

    def points(self, limit: int = 100) -> list[list[float]]:
        """Return at most `limit` points [coverage, risk], evenly spread, the ends included."""
        chosen = np.unique(np.linspace(0, len(self.risk) - 1, min(limit, len(self.risk))).round().astype(int))
        return [[float(self.coverage[i]), float(self.risk[i])] for i in chosen]


def risk_coverage(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> RiskCoverage:
    """Return the risk-coverage curve of answering by the largest probability.

    Images of equal confidence are accepted together, and count in the area as if in random order.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).

    Raises:
        UsageError: The arrays are not such.
    """
    check(probabilities, labels)
    confidence = probabilities.max(axis=1)
    wrong = (probabilities.argmax(axis=1) != labels)[np.argsort(-confidence, kind="stable")]
    _, ties = np.unique(-confidence, return_counts=True)
    accepted = np.cumsum(ties)
    errors = np.cumsum(wrong)[accepted - 1]
    # Inside a tie the expected errors rise evenly from one point of the curve to the next.
    expected = np.interp(np.arange(1, len(labels) + 1), np.r_[0, accepted], np.r_[0, errors])
    aurc = float((expected / np.arange(1, len(labels) + 1)).mean())
    return RiskCoverage(accepted / len(labels), errors / accepted, aurc)
