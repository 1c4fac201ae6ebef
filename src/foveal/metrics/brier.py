"""Brier score: squared distance between the probabilities and the truth.

Source: Brier, "Verification of forecasts expressed in terms of probability", 1950, equation 2.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.metrics._arrays import check


def brier(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the mean over images of Σ over classes (p - truth)², in [0, 2]; 0 is best.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).

    Raises:
        UsageError: The arrays are not such.
    """
    return float(brier_per_image(probabilities, labels).mean())


def brier_per_image(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return each image's Brier score, float64 (N,); see `brier`."""
    check(probabilities, labels)
    true = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    squares = np.einsum("nk,nk->n", probabilities, probabilities, dtype=np.float64)
    # Σ p² - 2 p_y + 1 is Σ (p - truth)² without an (N, K) copy.
    scores: NDArray[np.float64] = np.maximum(squares - 2 * true + 1, 0.0)
    return scores
