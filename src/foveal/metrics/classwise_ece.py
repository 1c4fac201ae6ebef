"""The calibration error of every class's probability, not of the largest one alone.

Source: Kull et al., "Beyond temperature scaling: Obtaining well-calibrated multiclass probabilities with
Dirichlet calibration", NeurIPS 2019. https://arxiv.org/abs/1910.12656
"""

import numpy as np
from numpy.typing import NDArray

from foveal.metrics._arrays import check
from foveal.metrics.ece import BINS, bin_of


def classwise_ece(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], *, bins: int = BINS
) -> float:
    """Return the mean over classes of Σ over bins (n_bin / N) |share of the class - mean probability|.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).
        bins: Bins of equal width over (0, 1]; 0 is in the first.

    Raises:
        UsageError: The arrays are not such.
    """
    check(probabilities, labels)
    errors = []
    for k in range(probabilities.shape[1]):
        values = probabilities[:, k].astype(np.float64)
        sums = np.bincount(bin_of(values, bins), weights=(labels == k) - values, minlength=bins)
        errors.append(np.abs(sums).sum() / len(labels))
    return float(np.mean(errors))
