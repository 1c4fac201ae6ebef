"""Boxes as tensors: left, top, right, bottom in pixels."""

import torch
from torch import Tensor

_TINY = 1e-7


def area(boxes: Tensor) -> Tensor:
    """Return the areas of boxes (…, 4), 0 where a side is not positive."""
    return (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)


def overlaps(first: Tensor, second: Tensor) -> Tensor:
    """Return intersection over union of boxes (…, 4) that broadcast against each other."""
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:], second[..., 2:])
    inner = (high - low).clamp(min=0).prod(-1)
    return inner / (area(first) + area(second) - inner + _TINY)


def generalized(first: Tensor, second: Tensor) -> Tensor:
    """Return generalized intersection over union, in (-1, 1], of boxes (…, 4) that broadcast.

    Source: Rezatofighi et al., "Generalized Intersection over Union", 2019.
    """
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:], second[..., 2:])
    inner = (high - low).clamp(min=0).prod(-1)
    union = area(first) + area(second) - inner + _TINY
    around = torch.minimum(first[..., :2], second[..., :2]), torch.maximum(first[..., 2:], second[..., 2:])
    whole = (around[1] - around[0]).prod(-1) + _TINY
    return inner / union - (whole - union) / whole
