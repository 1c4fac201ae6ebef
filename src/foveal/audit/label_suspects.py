"""Labels that are probably wrong, by confident learning.

Source: Northcutt, Jiang & Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021
(arXiv:1911.00068), §3: a class's threshold is the mean probability that its own pictures give it (eq. 2); the
confident joint counts the pictures above it (eq. 1). How many pictures lie off its diagonal says how many
labels to doubt; the least probable labels are doubted. On planted flips that found half as many again
as doubting the off-diagonal pictures themselves (docs/decisions/0012-statistical-check.md). On ten published
test sets about half of such suspects were wrong labels (Northcutt, Athalye & Mueller 2021, arXiv:2103.14749).
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError

Floats = NDArray[np.floating]
Int64 = NDArray[np.int64]
_BETTER = 0.3  # how far from guessing to perfect a network must have come before its doubts count
_ROUNDING = 1e-6  # a probability this little below its threshold has reached it


@dataclass(frozen=True)
class Suspects:
    """Doubtful labels, the most doubtful first.

    Attributes:
        rows: Of the probabilities, int64 (S,).
        suggested: The most probable other class of each, int64 (S,).
        confidence: Its probability, float64 (S,).
    """

    rows: Int64 = field(repr=False)
    suggested: Int64 = field(repr=False)
    confidence: NDArray[np.float64] = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)


def may_doubt(probabilities: Floats, labels: Int64) -> bool:
    """Return whether a network is right often enough, beyond naming the most frequent class, to doubt labels.

    Args:
        probabilities: (N, K), rows sum to 1.
        labels: Given classes, int64 (N,), N ≥ 1.
    """
    right = float((probabilities.argmax(axis=1) == labels).mean())
    guessing = float(np.bincount(labels).max()) / len(labels)
    return right >= guessing + _BETTER * (1 - guessing)


def label_suspects(probabilities: Floats, labels: Int64) -> Suspects:
    """Return as many labels as the confident joint has off its diagonal, the least probable first.

    Of these counted are only pictures whose label is not the most probable class anyway.

    Args:
        probabilities: (N, K), rows sum to 1, from a model that has not learned from the picture.
        labels: Given classes, int64 (N,).

    Raises:
        UsageError: Shapes that do not fit together, labels outside 0..K-1, or no finite probabilities.
    """
    guesses, confident = _confident_guesses(probabilities, labels)
    everything = np.arange(len(labels))
    own = probabilities[everything, labels]
    contradicted = own + _ROUNDING < probabilities.max(axis=1)
    number = int((confident & (guesses != labels) & contradicted).sum())
    rows = np.argsort(own, kind="stable")[:number]
    others = probabilities[rows].astype(np.float64)
    others[np.arange(number), labels[rows]] = -1.0
    return Suspects(rows, others.argmax(axis=1), others.max(axis=1, initial=0.0))


def _confident_guesses(probabilities: Floats, labels: Int64) -> tuple[Int64, NDArray[np.bool_]]:
    """Return for each picture the class whose threshold it reaches, and whether there is one.

    Where it reaches several, that is the most probable class.
    """
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        raise UsageError(
            f"need probabilities (N, K) and labels (N,), N ≥ 1; got {probabilities.shape} and {labels.shape}"
        )
    if not np.isfinite(probabilities).all():
        raise UsageError("probabilities must be finite")
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise UsageError(f"labels must be integers in 0..{probabilities.shape[1] - 1}")
    above = probabilities >= _thresholds(probabilities, labels) - _ROUNDING
    several = above.sum(axis=1) > 1
    guesses = np.where(several, probabilities.argmax(axis=1), above.argmax(axis=1))
    return guesses.astype(np.int64), np.asarray(above.any(axis=1))


def _thresholds(probabilities: Floats, labels: Int64) -> NDArray[np.float64]:
    """Return for each class the mean probability that its own pictures give it; 1 where it has none."""
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    own = probabilities[np.arange(len(labels)), labels]
    sums = np.bincount(labels, weights=own, minlength=probabilities.shape[1])
    return np.where(counts > 0, sums / np.maximum(counts, 1), 1.0)
