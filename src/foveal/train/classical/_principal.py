"""The directions in which features differ most."""

import torch
from torch import Tensor

_MOST_IMAGES = 10_000  # more hardly move the directions
_MORE = 16  # directions beyond those that are wanted
_ROUNDS = 4  # each brings the subspace nearer to the strongest directions


def principal(features: Tensor, *, count: int) -> tuple[Tensor, Tensor, float]:
    """Return mean (D,), directions (D, count) of unit length, the strongest first, and the total variance.

    Directions beyond the span of the features carry no variance. The largest entry of each is positive.
    Method: Halko, Martinsson & Tropp, "Finding Structure with Randomness", 2011, algorithm 4.4; the full
    decomposition would cost a hundred times as much for large pictures.

    Args:
        features: float32 (N, D); 10,000 of them, evenly spaced, are looked at.
        count: At most D.
    """
    seen = features[:: -(-len(features) // _MOST_IMAGES)]
    mean = seen.mean(dim=0, dtype=torch.float64).float()
    centred = seen - mean
    generator = torch.Generator().manual_seed(0)
    columns = min(count + _MORE, features.shape[1])
    subspace = torch.randn(features.shape[1], columns, generator=generator)
    for _ in range(_ROUNDS):
        subspace, _ = torch.linalg.qr(centred.T @ (centred @ subspace))
    inside = (centred @ subspace).double()
    _, turned = torch.linalg.eigh(inside.T @ inside)
    chosen = subspace.double() @ turned.flip(1)[:, :count]
    largest = chosen.gather(0, chosen.abs().argmax(dim=0, keepdim=True))
    return mean, (chosen * largest.sign()).float(), float((centred.double() ** 2).mean(dim=0).sum())


def work(images: int, dimensions: int, count: int) -> float:
    """Return about how many floating-point operations that takes."""
    columns = count + _MORE
    return columns * (4.0 * _ROUNDS * min(images, _MOST_IMAGES) * dimensions + 10.0 * dimensions * columns)
