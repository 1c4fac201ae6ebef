"""What a fitted head is, and the class means that several heads need."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Head:
    """The layer that decides.

    Attributes:
        weight: float64 (D, K).
        bias: float64 (K,).
        normalized: Whether it reads coordinates of length 1 instead of the coordinates.
    """

    weight: Float64 = field(repr=False)
    bias: Float64 = field(repr=False)
    normalized: bool = False

    def logits(self, coordinates: Float64) -> Float64:
        """Return the logits of pictures, float64 (n, K), from their coordinates, float64 (n, D)."""
        read = lengthless(coordinates) if self.normalized else coordinates
        found: Float64 = read @ self.weight + self.bias
        return found


def prototypes(coordinates: Float64, labels: Labels, classes: int) -> Float64:
    """Return the mean of each class, float64 (K, D)."""
    inside = (labels == np.arange(classes)[:, None]).astype(np.float64)
    means: Float64 = inside @ coordinates / inside.sum(axis=1, keepdims=True)
    return means


def lengthless(rows: Float64) -> Float64:
    """Return rows with length 1 each; those of length 0 stay 0."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Float64 = rows / np.maximum(length, 1e-12)
    return scaled
