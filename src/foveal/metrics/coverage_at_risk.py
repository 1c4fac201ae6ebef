"""How many images get an answer when the recognizer may decline, and how often those answers are wrong."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.metrics._arrays import check
from foveal.metrics.clopper_pearson import clopper_pearson


@dataclass(frozen=True)
class CoverageAtRisk:
    """What a threshold on the confidence gives; `risk` is None if no image was answered."""

    coverage: Measured
    risk: Measured | None


def coverage_at_risk(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], *, threshold: float
) -> CoverageAtRisk:
    """Return the share of images with confidence ≥ `threshold` and the share of errors among them.

    The threshold must not have been chosen on these images, or the risk flatters.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).
        threshold: Smallest confidence that is answered.

    Raises:
        UsageError: The arrays are not such.
    """
    check(probabilities, labels)
    answered = probabilities.max(axis=1).astype(np.float64) >= threshold
    wrong = probabilities.argmax(axis=1) != labels
    count = int(answered.sum())
    risk = clopper_pearson(int((wrong & answered).sum()), count) if count else None
    return CoverageAtRisk(clopper_pearson(count, len(labels)), risk)
