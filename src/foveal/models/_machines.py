"""Deciding by features: a plane per class, a kernel machine, the nearest neighbours.

Each is a plain network whose tensors `train/classical` sets in one go. They are parameters that no
gradient reaches, so that they are counted, saved and exported as those of any other network.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MOST_NEIGHBOURS = 20
_SAME = 1e-7  # squared distance per dimension, in variances of the pixels, of what is taken for copies


def fixed(*shape: int) -> nn.Parameter:
    """Return a tensor that is set, not learned."""
    return nn.Parameter(torch.zeros(shape), requires_grad=False)


class Projection(nn.Module):
    """Images to coordinates (N, P): features less their mean, times a matrix."""

    def __init__(self, features: nn.Module, *, dimensions: int, coordinates: int) -> None:
        """Hold features (N, D) → (N, P).

        Args:
            features: Normalized images to (N, D).
            dimensions: D.
            coordinates: P.
        """
        super().__init__()
        self.features = features
        self.mean = fixed(dimensions)
        self.basis = fixed(dimensions, coordinates)

    def forward(self, images: Tensor) -> Tensor:
        """Return coordinates (N, P)."""
        projected: Tensor = (self.features(images) - self.mean) @ self.basis
        return projected


class LinearMachine(nn.Module):
    """One plane per class."""

    def __init__(self, projection: Projection, *, classes: int) -> None:
        """Hold images → (N, K); the projection's basis has a column per class."""
        super().__init__()
        self.projection = projection
        self.bias = fixed(classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K)."""
        logits: Tensor = self.projection(images) + self.bias
        return logits


class KernelMachine(nn.Module):
    """Σ_m coefficient_mk · exp(-|z - landmark_m|²) + bias_k; the kernel's width is in the projection."""

    def __init__(self, projection: Projection, *, coordinates: int, landmarks: int, classes: int) -> None:
        """Hold images → (N, K).

        Args:
            projection: To coordinates z (N, P).
            coordinates: P.
            landmarks: M training images that all others are compared with.
            classes: K.
        """
        super().__init__()
        self.projection = projection
        self.landmarks = fixed(landmarks, coordinates)
        self.coefficients = fixed(landmarks, classes)
        self.bias = fixed(classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K).

        Thousands of coefficients of both signs nearly cancel. Added up in float32, whose order is another one
        in each engine, they would move a probability by 1e-4; in float64, 2e-5 of it is left.
        """
        near = similarity(self.projection(images), self.landmarks)
        return (near.double() @ self.coefficients.double()).to(near.dtype) + self.bias


class KernelHead(nn.Module):
    """A support vector machine in the place of a network's last layer: features (N, D) to logits (N, K)."""

    def __init__(self, dimensions: int, coordinates: int, count: int, classes: int) -> None:
        """Hold what `KernelMachine` holds, for features that are there already.

        Args:
            dimensions: D.
            coordinates: Principal components that are compared.
            count: Of the landmarks, training images that all others are compared with.
            classes: K.
        """
        super().__init__()
        self.dimensions, self.coordinates, self.count, self.classes = dimensions, coordinates, count, classes
        self.projection = Projection(nn.Identity(), dimensions=dimensions, coordinates=coordinates)
        self.landmarks = fixed(count, coordinates)
        self.coefficients = fixed(count, classes)
        self.bias = fixed(classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (N, K); in float64 at the end for the reason that `KernelMachine` gives."""
        near = similarity(self.projection(features), self.landmarks)
        return (near.double() @ self.coefficients.double()).to(near.dtype) + self.bias


class Neighbours(nn.Module):
    """The nearest stored images vote, the nearer the more.

    A vote is 1 - d² / e², with e the distance of the nearest neighbour that has none. So a vote fades to 0
    before another image takes its place: rounding can exchange two neighbours, not the answer. Source of such
    weights: Dudani, "The Distance-Weighted k-Nearest-Neighbor Rule", 1976, with squared distances.
    """

    def __init__(self, projection: Projection, *, coordinates: int, stored: int, classes: int) -> None:
        """Hold images → (N, K); `voting` says how many neighbours vote, from 1 to 20.

        Args:
            projection: To coordinates z (N, P).
            coordinates: P.
            stored: M ≥ 2 training images.
            classes: K.
        """
        super().__init__()
        self.projection = projection
        self.classes = classes
        self.looked_at = min(MOST_NEIGHBOURS + 1, stored)
        self.stored = fixed(stored, coordinates)
        self.register_buffer("labels", torch.zeros(stored, dtype=torch.int64))
        self.register_buffer("voting", torch.ones(1, dtype=torch.int64))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K): logarithms of the votes, of which every class has 1/K to begin with."""
        points = self.projection(images)
        squared, labels = nearest(points, self.stored, self.get_buffer("labels"), count=self.looked_at)
        return votes(squared, labels, voting=self.get_buffer("voting"), classes=self.classes)


def similarity(points: Tensor, landmarks: Tensor) -> Tensor:
    """Return exp(-|z - l|²), (N, M), for points (N, P) and landmarks (M, P)."""
    squared = (points * points).sum(dim=1, keepdim=True) + (landmarks * landmarks).sum(dim=1)
    return (2 * points @ landmarks.T - squared).clamp(max=0).exp()


def nearest(points: Tensor, stored: Tensor, labels: Tensor, *, count: int) -> tuple[Tensor, Tensor]:
    """Return squared distances per dimension to the nearest stored points, rising, and their labels.

    Args:
        points: (N, P).
        stored: (M, P).
        labels: int64 (M,).
        count: How many, ≤ M.

    Returns:
        Both (N, count).
    """
    rough = (stored * stored).sum(dim=1) - 2 * points @ stored.T
    found = rough.topk(count, dim=1, largest=False).indices
    # Anew from the difference: of the distance between two copies, the line above leaves rounding errors.
    squared, order = ((points[:, None] - stored[found]) ** 2).mean(dim=2).topk(count, dim=1, largest=False)
    return squared, labels[found.gather(1, order)]


def votes(squared: Tensor, labels: Tensor, *, voting: Tensor, classes: int) -> Tensor:
    """Return logits (N, K) from the squared distances and labels of neighbours, (N, J), the nearest first.

    Args:
        squared: Per dimension.
        labels: int64, in [0, K).
        voting: How many of them vote, int64 (1,), below J.
        classes: K.
    """
    limit = squared.index_select(1, voting) + _SAME
    weights = F.relu(limit - squared) / limit
    counted = (weights[:, :, None] * F.one_hot(labels, classes).to(squared.dtype)).sum(dim=1)
    return (counted + 1 / classes).log()
