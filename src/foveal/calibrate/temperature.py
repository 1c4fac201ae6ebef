"""One number that makes the probabilities honest, without changing any answer.

Source: Guo et al., "On Calibration of Modern Neural Networks", 2017, §4.2; the guard against certainty
that no finite number of images can prove: Platt, "Probabilistic Outputs for Support Vector Machines", 1999.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.metrics._arrays import check_rows

LOWEST, HIGHEST = 0.05, 20.0
_HALVINGS = 32  # of log 400: finer than float32


def temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the T in [0.05, 20] for which softmax(logits / T) explains the labels best.

    It minimizes the negative log-likelihood of the N images and of one imagined image more, which is
    spread evenly over all N and whose label is the second most probable class. Without it, data without a
    single error would ask for T → 0, that is for certainty; with it the confidence that N images without
    error allow is about 1 - 1/N. It weighs 1/N of the rest, so it is hardly felt where there are errors.
    (Were its label any class with equal probability, the least probable ones would dictate T.)

    Args:
        logits: float (N, K), finite, N ≥ 1: what the exported graph gives before its temperature.
        labels: Integers (N,) in [0, K).

    Returns:
        A value that float32 holds exactly, as the graph does. Logits that say nothing (all equal) give 1.

    Raises:
        UsageError: The arrays are not such.
    """
    check_rows(logits, labels, name="logits")
    scores = logits.astype(np.float64)
    scores -= scores.max(axis=1, keepdims=True)
    n = len(scores)
    if not scores.any():
        return 1.0
    second = np.partition(scores, -2, axis=1)[:, -2]
    target = (scores[np.arange(n), labels].sum() + second.mean()) / (n + 1)
    # The loss is convex in 1/T and its slope crosses zero once: halve the bracket in log T.
    cold, hot = np.log(LOWEST), np.log(HIGHEST)
    for _ in range(_HALVINGS):
        middle = (cold + hot) / 2
        if _expected(scores, np.exp(-middle)) > target:
            cold = middle
        else:
            hot = middle
    return float(np.float32(np.clip(np.exp((cold + hot) / 2), LOWEST, HIGHEST)))


def calibrated(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return softmax(logits / temperature), float32 (N, K), in the float32 steps that the graph takes.

    An engine may sum in another order; on onnxruntime the difference stays below 1e-6.
    """
    scaled = logits / np.float32(temperature)
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True, dtype=np.float32)
    return shares


def _expected(scores: NDArray[np.float64], sharpness: np.float64) -> float:
    """Return the mean over images of Σ p · score; minus its target it is the slope of the loss in 1/T."""
    powers = np.exp(scores * sharpness)
    return float(((powers * scores).sum(axis=1) / powers.sum(axis=1)).mean())
