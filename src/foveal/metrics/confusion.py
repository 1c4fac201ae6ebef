"""Which class is taken for which."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.metrics._arrays import check


@dataclass(frozen=True)
class Confused:
    """So many images of class `truth` were called `label`."""

    truth: int
    label: int
    count: int


def confusion(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return how many images of each class were given each label, int64 (K, K), rows are the truth.

    Args:
        probabilities: float (N, K), rows sum to 1.
        labels: Integers (N,) in [0, K).

    Raises:
        UsageError: The arrays are not such.
    """
    check(probabilities, labels)
    classes = probabilities.shape[1]
    cells = labels.astype(np.int64) * classes + probabilities.argmax(axis=1)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def confused_pairs(matrix: NDArray[np.integer], *, limit: int = 10) -> tuple[Confused, ...]:
    """Return the most frequent confusions of a (K, K) matrix, most frequent first, none with count 0."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
    pairs = ((int(cell) // len(wrong), int(cell) % len(wrong)) for cell in order)
    return tuple(
        Confused(truth, label, int(wrong[truth, label])) for truth, label in pairs if wrong[truth, label]
    )
