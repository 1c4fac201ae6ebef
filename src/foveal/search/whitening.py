"""A projection of features after which pictures of one person, or thing, lie as close together as they can.

Directions in which pictures of the same differ much count little. Source: Hatch, Kajarekar & Stolcke,
"Within-class covariance normalization for SVM-based speaker recognition", 2006; the covariance is shrunk
towards a sphere, as there are fewer pictures than numbers: Ledoit & Wolf, "A well-conditioned estimator for
large-dimensional covariance matrices", 2004, with a fixed share.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.embedder import unit
from foveal.bundle.session import Float32
from foveal.core.errors import UsageError

SHRINKAGE = 0.3  # share of the sphere; on 24 people anything from 0.05 to 0.5 did as well


@dataclass(frozen=True)
class Whitening:
    """What is done to features of length 1: less the mean, times the matrix.

    Attributes:
        mean: float32 (D,).
        matrix: float32 (D, D).
    """

    mean: Float32 = field(repr=False)
    matrix: Float32 = field(repr=False)

    def __call__(self, features: Float32) -> Float32:
        """Return features of any length, (N, D), projected; float32 (N, D)."""
        centred: Float32 = (unit(features) - self.mean).astype(np.float32)
        projected: Float32 = (centred @ self.matrix).astype(np.float32)
        return projected


def whitening(features: Float32, labels: NDArray[np.integer], *, shrinkage: float = SHRINKAGE) -> Whitening:
    """Learn the projection.

    Args:
        features: Of any length, float32 (N, D).
        labels: Who, or what, each is, (N,); some must have two pictures.
        shrinkage: In (0, 1].

    Raises:
        UsageError: `no_pairs`: nobody has two pictures, or all of them are equal.
    """
    units = unit(features).astype(np.float64)
    _, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), units.shape[1]))
    np.add.at(sums, place, units)
    within = units - (sums / counts[:, None])[place]
    covariance = within.T @ within / len(units)
    size = float(np.trace(covariance)) / len(covariance)
    if not size > 0:
        raise UsageError("nobody has two pictures that differ: nothing can be learned", code="no_pairs")
    shrunk = (1 - shrinkage) * covariance + shrinkage * size * np.eye(len(covariance))
    matrix = np.linalg.inv(np.linalg.cholesky(shrunk)).T
    return Whitening(units.mean(axis=0).astype(np.float32), matrix.astype(np.float32))
