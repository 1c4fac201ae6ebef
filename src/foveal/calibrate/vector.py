"""A factor and a shift for each class: more to make probabilities honest with than one temperature.

Source: Guo et al., "On Calibration of Modern Neural Networks", 2017, §4.2 (vector scaling).
https://arxiv.org/abs/1706.04599
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.temperature import temperature
from foveal.metrics._arrays import check_rows

Floats = NDArray[np.float64]
_STEPS, _CLOSE = 50, 1e-10


@dataclass(frozen=True)
class Vector:
    """What the logits of each class are multiplied by, and what is then added, float64 (K,) each."""

    factors: Floats
    shifts: Floats

    def calibrated(self, logits: NDArray[np.floating]) -> Floats:
        """Return softmax(logits · factors + shifts), float64 (N, K)."""
        return _softmax(logits.astype(np.float64) * self.factors + self.shifts)


def vector(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> Vector:
    """Return the factors and shifts that explain the labels best; they may change answers.

    They minimize the negative log-likelihood, summed over the N images, and half the squared distance from
    the best temperature without shifts, in its unit. Without that, shifting all classes at once were free,
    and a class without an image got minus infinity.

    Args:
        logits: float (N, K), finite, N ≥ 1.
        labels: Integers (N,) in [0, K).

    Raises:
        UsageError: The arrays are not such.
    """
    check_rows(logits, labels, name="logits")
    fitted = temperature(logits, labels)
    scores = logits.astype(np.float64) / fitted
    truth = np.eye(scores.shape[1])[labels]
    start = np.concatenate([np.ones(scores.shape[1]), np.zeros(scores.shape[1])])
    found, loss = start.copy(), _loss(start, start, scores, labels)
    for _ in range(_STEPS):
        slope, curvature = _derivatives(found, start, scores, truth)
        step = np.linalg.solve(curvature, slope)
        gain = float(step @ slope)
        if gain < _CLOSE:
            break
        size = 1.0
        while (now := _loss(found - size * step, start, scores, labels)) > loss - 0.1 * size * gain:
            size /= 2  # convex and smooth: a short enough step always helps
            if size < _CLOSE:
                return _vector(found, fitted)
        found, loss = found - size * step, now
    return _vector(found, fitted)


def _vector(found: Floats, fitted: float) -> Vector:
    factors, shifts = np.split(found, 2)
    return Vector(factors / fitted, shifts)


def _loss(found: Floats, start: Floats, scores: Floats, labels: NDArray[np.integer]) -> float:
    factors, shifts = np.split(found, 2)
    scaled = scores * factors + shifts
    highest = scaled.max(axis=1)
    costs = np.log(np.exp(scaled - highest[:, None]).sum(axis=1)) + highest
    costs -= scaled[np.arange(len(labels)), labels]
    return float((costs.sum() + 0.5 * np.square(found - start).sum()) / len(labels))


def _derivatives(found: Floats, start: Floats, scores: Floats, truth: Floats) -> tuple[Floats, Floats]:
    """Return slope (2K,) and curvature (2K, 2K) of the loss; factors first, then shifts."""
    n, classes = scores.shape
    factors, shifts = np.split(found, 2)
    shares = _softmax(scores * factors + shifts)
    gaps = shares - truth
    slope = np.concatenate([(gaps * scores).sum(axis=0), gaps.sum(axis=0)]) + found - start
    both = np.concatenate([shares * scores, shares], axis=1)
    curvature = -both.T @ both
    own = np.arange(classes)
    mixed = (shares * scores).sum(axis=0)
    curvature[own, own] += (shares * scores**2).sum(axis=0)
    curvature[own + classes, own + classes] += shares.sum(axis=0)
    curvature[own, own + classes] += mixed
    curvature[own + classes, own] += mixed
    return slope / n, (curvature + np.eye(2 * classes)) / n


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares
