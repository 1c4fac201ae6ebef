"""The space in which pictures of one thing lie in a ball: features of length 1, whitened.

Source: what differs between pictures of one class is no evidence (Fisher's discriminant); its spread is
estimated from few pictures, so it is pulled towards a ball (Ledoit & Wolf, "A well-conditioned estimator for
large-dimensional covariance matrices", 2004, eq. 2, with a fixed share).
"""

from dataclasses import dataclass, field

import numpy as np

from foveal.fewshot.heads._head import Float64, Labels, prototypes

SHRUNK = 0.3  # of the mean spread, added to every direction; measured in docs/few-shot.md


@dataclass(frozen=True)
class Space:
    """From features of length 1 to coordinates.

    Attributes:
        middle: Mean of the class means, float64 (D,).
        whitening: float64 (D, D).
    """

    middle: Float64 = field(repr=False)
    whitening: Float64 = field(repr=False)

    def coordinates(self, rows: Float64) -> Float64:
        """Return coordinates, float64 (n, D), of features of length 1, float64 (n, D)."""
        found: Float64 = (rows - self.middle) @ self.whitening
        return found


def space(rows: Float64, labels: Labels, classes: int, *, dimensions: int) -> Space:
    """Return the space in which the spread within classes is a ball.

    Args:
        rows: Features of length 1, float64 (n, D); or what is left of them in fewer orthogonal directions
            that hold them all: distances and angles are then the same.
        labels: int64 (n,) in [0, classes), every class present.
        classes: K.
        dimensions: That the features have: the mean spread is over all of them.
    """
    means = prototypes(rows, labels, classes)
    inside = rows - means[labels]
    within = inside.T @ inside / len(rows)
    spread = float(np.trace(within)) / dimensions
    # One picture of a class, shown once: nothing is known of the spread, and the space stays as it is.
    within += (SHRUNK * spread if spread > 1e-12 else 1.0) * np.eye(len(within))
    lower = np.linalg.cholesky(within)
    return Space(means.mean(axis=0), np.linalg.inv(lower).T)
