"""What the black-box attacks share: asking for margins, and keeping the best picture found so far.

The margin of a picture is the score of its true class minus the largest other score. Where it falls below 0,
the recognizer errs: the loss of Croce & Hein, 2020, and Andriushchenko et al., 2020, §3.1.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.perturb.attacks.ball import Ball

UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]
Floats = NDArray[np.float64]
Scores = Callable[[UInt8], NDArray[np.float32]]
_SHRINKS = 6
_SHORTER = 0.99  # than what would do without rounding


def check(images: UInt8, labels: Int64, queries: int) -> None:
    """Refuse what cannot be attacked.

    Raises:
        UsageError: Other pictures, another number of labels, or no query.
    """
    if images.ndim != 4 or images.dtype != np.uint8:
        raise UsageError(f"an attack needs uint8 images (N, H, W, C); got {images.dtype} {images.shape}")
    if labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer):
        raise UsageError(f"need a label for each of {len(images)} images; got {labels.dtype} {labels.shape}")
    if queries < 1:
        raise UsageError(f"an attack asks at least once; got queries={queries}")


def asked(scores: Scores, images: UInt8, labels: Int64) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the margin of each picture and whether it is named wrongly, (N,).

    Raises:
        UsageError: The scores are not (N, K ≥ 2), a label is no class, or a score is no number.
    """
    found = np.asarray(scores(images), dtype=np.float64)
    if found.ndim != 2 or len(found) != len(images) or found.shape[1] < 2:
        raise UsageError(f"scores of {len(images)} images are (N, K), K ≥ 2; got {found.shape}")
    if len(labels) and (labels.min() < 0 or labels.max() >= found.shape[1]):
        raise UsageError(f"labels lie in 0..{found.shape[1] - 1}; got {labels.min()} to {labels.max()}")
    if np.isnan(found).any():
        raise UsageError("a score is no number; nothing is known about such an answer", code="not_a_number")
    rows = np.arange(len(found))
    wrong = found.argmax(axis=1) != labels
    own = found[rows, labels]
    found[rows, labels] = -np.inf
    with np.errstate(invalid="ignore"):  # minus infinity twice: a tie
        return np.nan_to_num(own - found.max(axis=1), nan=0.0, posinf=np.inf, neginf=-np.inf), wrong


def fitted(moves: Floats, images: UInt8, ball: Ball) -> UInt8:
    """Return moved pictures of whole levels inside the ball, uint8 (N, H, W, C).

    Whole levels seldom have the length that was meant. What is too long is shortened all at once a few times,
    before `Ball.rounded` does so one by one.
    """
    if ball.norm == "linf":
        return ball.rounded(images + moves, images)
    result = (images + moves).round().clip(0, 255).astype(np.uint8)
    far = ball.distance(result, images)
    shares = np.ones(len(images))
    for _ in range(_SHRINKS):
        rows = np.flatnonzero(far > ball.radius)
        if len(rows) == 0:
            return result
        shares[rows] *= _SHORTER * ball.radius / far[rows]
        shorter = shares[rows, None, None, None] * moves[rows]
        result[rows] = (images[rows] + shorter).round().clip(0, 255).astype(np.uint8)
        far[rows] = ball.distance(result[rows], images[rows])
    rows = np.flatnonzero(far > ball.radius)
    if len(rows):
        result[rows] = ball.rounded(images[rows] + moves[rows], images[rows])
    return result


@dataclass
class Search:
    """Where each picture's search stands, and which are not yet named wrongly.

    Attributes:
        scores: Answers.
        labels: The truth, int64 (N,).
        originals: As they were, uint8 (N, H, W, C).
        before: Their margins, float64 (N,).
        best: uint8 (N, H, W, C): wrongly named, or the one that others are measured by.
        margins: Theirs, float64 (N,).
        alive: Those that are still named correctly, rising, int64 (M,).
    """

    scores: Scores
    labels: Int64
    originals: UInt8 = field(repr=False)
    before: Floats = field(repr=False)
    best: UInt8 = field(repr=False)
    margins: Floats = field(repr=False)
    alive: Int64

    @classmethod
    def of(cls, scores: Scores, images: UInt8, labels: Int64) -> Self:
        """Ask for the pictures as they are; those that are named wrongly are left as they are."""
        if len(images) == 0:
            return cls(scores, labels, images, np.zeros(0), images.copy(), np.zeros(0), np.zeros(0, np.int64))
        margins, wrong = asked(scores, images, labels)
        return cls(scores, labels, images, margins, images.copy(), margins.copy(), np.flatnonzero(~wrong))

    def offer(self, tried: UInt8, *, anyway: bool = False) -> NDArray[np.bool_]:
        """Ask for one picture for each that is alive, uint8 (M, H, W, C); keep those that are better.

        Args:
            tried: The pictures.
            anyway: Keep them all: a place to begin from.

        Returns:
            Which were kept, bool (M,).
        """
        margins, wrong = asked(self.scores, tried, self.labels[self.alive])
        kept = wrong | (margins < self.margins[self.alive]) | anyway
        places = self.alive[kept]
        self.best[places], self.margins[places] = tried[kept], margins[kept]
        self.alive = self.alive[~wrong]
        return kept

    @property
    def found(self) -> UInt8:
        """What was found, the originals where that has a larger margin than they."""
        alive = np.zeros(len(self.labels), dtype=np.bool_)
        alive[self.alive] = True
        worse = alive & (self.margins >= self.before)
        return np.where(worse[:, None, None, None], self.originals, self.best)
