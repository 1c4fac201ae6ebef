"""Negative log-likelihood: what the probabilities cost when the truth comes out."""

import numpy as np
from numpy.typing import NDArray

from foveal.metrics._arrays import check

# A float32 softmax underflows to 0; unbounded, one such image would make the mean infinite.
SMALLEST = float(np.finfo(np.float32).tiny)


def nll(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the mean negative logarithm of the true class's probability, in nats; 0 is best.

    A probability below 1.2e-38 counts as that: one image costs at most 87.4 nats.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).

    Raises:
        UsageError: The arrays are not such.
    """
    return float(nll_per_image(probabilities, labels).mean())


def nll_per_image(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return each image's negative log-likelihood, float64 (N,), in nats; see `nll`."""
    check(probabilities, labels)
    true = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    cost: NDArray[np.float64] = -np.log(np.clip(true, SMALLEST, 1.0))
    return cost
