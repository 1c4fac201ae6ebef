"""The directions in which features differ most."""

import torch
from torch import Tensor

_MOST_IMAGES = 10_000  # more hardly move the directions


def principal(features: Tensor, *, count: int) -> tuple[Tensor, Tensor, float]:
    """Return mean (D,), directions (D, count) of unit length, the strongest first, and the total variance.

    Where the features span fewer dimensions, the last directions carry no variance. The sign of each is set
    by its largest entry.

    Args:
        features: float32 (N, D); the first 10,000 are looked at.
        count: At most D.
    """
    seen = features[:_MOST_IMAGES]
    mean = seen.mean(dim=0, dtype=torch.float64)
    centred = seen - mean.float()
    variances, directions = torch.linalg.eigh((centred.T @ centred / len(seen)).double())
    chosen = directions[:, -count:].flip(1)
    largest = chosen.gather(0, chosen.abs().argmax(dim=0, keepdim=True))
    return mean.float(), (chosen * largest.sign()).float(), float(variances.clamp(min=0).sum())
