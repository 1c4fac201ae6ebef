"""Expected calibration error, and how large it is for a model that is calibrated perfectly.

Source: Guo et al., "On Calibration of Modern Neural Networks", 2017, equation 3: 15 bins of equal width.
The estimate is biased upwards: a perfect model gets more than 0 by chance, the more the fewer images there
are. `ece_null` says how much, so that no one chases noise. https://arxiv.org/abs/1706.04599
"""

import numpy as np
from numpy.typing import NDArray

from foveal.core.random import stream
from foveal.metrics._arrays import check

BINS = 15
_CELLS = 1 << 22  # simulated answers held at once


def ece(probabilities: NDArray[np.floating], labels: NDArray[np.integer], *, bins: int = BINS) -> float:
    """Return Σ over bins (n_bin / N) |accuracy - mean confidence|, in [0, 1]; 0 is best.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).
        bins: Bins of equal width over (0, 1]; confidence is the largest probability.

    Raises:
        UsageError: The arrays are not such.
    """
    return float(np.abs(gaps(probabilities, labels, bins=bins).mean(axis=0)).sum())


def gaps(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], *, bins: int = BINS
) -> NDArray[np.float64]:
    """Return (correct - confidence) of each image in the column of its bin, 0 elsewhere, float64 (N, bins).

    The ECE is the sum of the absolute column means, which is the form that `bootstrap` takes.
    """
    check(probabilities, labels)
    confidence = probabilities.max(axis=1).astype(np.float64)
    columns = np.zeros((len(labels), bins))
    correct = probabilities.argmax(axis=1) == labels
    columns[np.arange(len(labels)), bin_of(confidence, bins)] = correct - confidence
    return columns


def bin_of(confidence: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Return which of `bins` equal parts of (0, 1] each confidence is in; bins are open on the left."""
    which: NDArray[np.float64] = np.clip(np.ceil(confidence * bins) - 1, 0, bins - 1)
    return which.astype(np.int64)


def ece_null(
    probabilities: NDArray[np.floating], *, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> float:
    """Return the ECE that a perfectly calibrated model with these confidences stays below, at `level`.

    Whether an answer is right is drawn with probability equal to its confidence, `draws` times. A measured
    ECE below this says nothing against the calibration.

    Args:
        probabilities: float (N, K), rows sum to 1.
        level: Which quantile of the draws.
        draws: How many.
        seed: Equal seeds give equal values.

    Raises:
        UsageError: The array is not such.
    """
    return float(np.quantile(ece_draws(probabilities, draws=draws, seed=seed), level))


def ece_draws(
    probabilities: NDArray[np.floating], *, shift: float = 0.0, draws: int = 1000, seed: int = 0
) -> NDArray[np.float64]:
    """Return the ECE of `draws` simulated models with these confidences, float64 (draws,).

    Whether an answer is right is drawn with probability equal to its confidence minus `shift`, not below 0: a
    model whose calibration error is `shift` in every bin. Of all models with that error in total this is the
    one that shows least of it, since noise adds least to an error that is small everywhere.

    Args:
        probabilities: float (N, K), rows sum to 1.
        shift: By how much it is overconfident, 0 or more.
        draws: How many.
        seed: Equal seeds give equal values.

    Raises:
        UsageError: The array is not such.
    """
    check(probabilities, np.zeros(len(probabilities), dtype=np.int64))
    confidence = np.sort(probabilities.max(axis=1).astype(np.float64))  # bins become stretches
    first = np.unique(bin_of(confidence, BINS), return_index=True)[1]
    rng, n = stream(seed, "ece_null"), len(confidence)
    right = np.maximum(confidence - shift, 0.0)
    at_once = max(1, _CELLS // n)
    values = []
    for start in range(0, draws, at_once):
        chance = rng.random((min(at_once, draws - start), n), dtype=np.float32)
        gap = np.add.reduceat((chance < right) - confidence, first, axis=1)
        values.append(np.abs(gap).sum(axis=1) / n)
    return np.concatenate(values)
