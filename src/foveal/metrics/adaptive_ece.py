"""The calibration error in bins that hold equally many images: no bin is nearly empty, none holds almost all.

Source: Nixon et al., "Measuring Calibration in Deep Learning", CVPR workshops 2019 (adaptive calibration
error, here of the most probable class). https://arxiv.org/abs/1904.01685
"""

import numpy as np
from numpy.typing import NDArray

from foveal.metrics._arrays import check
from foveal.metrics.ece import BINS


def adaptive_ece(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], *, bins: int = BINS
) -> float:
    """Return Σ over bins (n_bin / N) |accuracy - mean confidence|, in [0, 1]; 0 is best.

    It is biased upwards as the ECE is; see `ece_null`.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).
        bins: How many bins of equal mass; images of equal confidence are in the same one.

    Raises:
        UsageError: The arrays are not such.
    """
    check(probabilities, labels)
    confidence = probabilities.max(axis=1).astype(np.float64)
    gap = (probabilities.argmax(axis=1) == labels) - confidence
    sums = np.bincount(equal_mass(confidence, bins), weights=gap, minlength=bins)
    return float(np.abs(sums).sum() / len(labels))


def equal_mass(confidence: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Return which of `bins` bins each confidence is in, int64 (N,), from low to high.

    The bin is that of the number of lower confidences, so it does not depend on the order of the images.
    """
    below = np.searchsorted(np.sort(confidence), confidence, side="left")
    which: NDArray[np.int64] = below * bins // len(confidence)
    return which
