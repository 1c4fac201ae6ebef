"""A rising curve from confidence to share of right answers, of whatever shape the images ask for.

Source: Zadrozny & Elkan, "Transforming Classifier Scores into Accurate Multiclass Probability Estimates",
2002; pooling adjacent violators: Ayer et al., "An Empirical Distribution Function for Sampling with
Incomplete Information", 1955.

It is a curve of the largest probability alone, not one of each class against the rest: that would divide the
images by the number of classes, and change answers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.metrics._arrays import check

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Isotonic:
    """A rising curve, linear between its points and level outside them.

    Attributes:
        confidence: Where its points are, rising, float64 (P,).
        accuracy: Its values there, rising, float64 (P,).
    """

    confidence: Floats
    accuracy: Floats

    def calibrated(self, probabilities: NDArray[np.floating]) -> Floats:
        """Return probabilities with the curve's value as the largest, float64 (N, K); no answer changes.

        The others keep their proportions, or get equal shares if all are 0. Where the largest would fall
        below the second, both are equal.
        """
        values = probabilities.astype(np.float64)
        rows, best = np.arange(len(values)), values.argmax(axis=1)
        largest = values[rows, best]
        others = values.copy()
        others[rows, best] = 0.0
        others[others.sum(axis=1) == 0] = 1.0
        others[rows, best] = 0.0
        rest = others.sum(axis=1)
        second = others.max(axis=1)
        # With the others scaled to 1 - c, the second is (1 - c) second / rest: no more than c.
        wanted = np.interp(largest, self.confidence, self.accuracy)
        wanted = np.maximum(wanted, second / (rest + second))
        others *= ((1 - wanted) / rest)[:, None]
        others[rows, best] = wanted
        return others


def isotonic(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> Isotonic:
    """Return the rising curve that is nearest to the images: confidence against being right.

    Two imagined images more keep it from certainty: a wrong answer with the highest confidence, and a right
    one with the lowest.

    Args:
        probabilities: float (N, K), rows sum to 1, N ≥ 1.
        labels: Integers (N,) in [0, K).

    Raises:
        UsageError: The arrays are not such.
    """
    check(probabilities, labels)
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    places = np.concatenate([confidence, [confidence.max(), confidence.min()]])
    points, which, counts = np.unique(places, return_inverse=True, return_counts=True)
    means = np.bincount(which, weights=np.append(right, [0.0, 1.0])) / counts
    return Isotonic(points, pooled(means, counts.astype(np.float64)))


def pooled(values: Floats, weights: Floats) -> Floats:
    """Return the rising sequence with the least weighted squared distance from `values`, float64 (P,).

    Neighbours in the wrong order become one block with their mean, until none are.

    Args:
        values: In their order, float64 (P,).
        weights: Above 0, float64 (P,).
    """
    means: list[float] = []
    masses: list[float] = []
    lengths: list[int] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        mean, mass, length = value, weight, 1
        while means and means[-1] >= mean:
            before = masses.pop()
            mean = (means.pop() * before + mean * mass) / (before + mass)
            mass, length = before + mass, length + lengths.pop()
        means.append(mean)
        masses.append(mass)
        lengths.append(length)
    return np.repeat(np.array(means), lengths)
