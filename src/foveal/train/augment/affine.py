"""Rotate, zoom and stretch pictures a little."""

import torch
import torch.nn.functional as F
from torch import Tensor

from foveal.train.objective import Batch

_DEGREES = 15.0  # at strength 1
_ZOOM = 0.15  # natural logarithm of the change of size, at strength 1
_STRETCH = 0.1  # natural logarithm of the change of aspect, at strength 1


def affine(images: Tensor, targets: Tensor, *, strength: float, batch: Batch) -> tuple[Tensor, Tensor]:
    """Rotate by up to 15°, zoom by up to 15 % and stretch by up to 10 %, times `strength`.

    Args:
        images: (N, C, H, W).
        targets: (N, K).
        strength: From 0 (off); 1 keeps upright things recognizable.
        batch: Gives the generator.
    """
    if strength == 0:
        return images, targets
    draws = (torch.rand(3, len(images), generator=batch.generator) * 2 - 1) * strength
    angle = draws[0] * (_DEGREES * torch.pi / 180)
    wide = torch.exp(draws[1] * _ZOOM + draws[2] * _STRETCH)
    high = torch.exp(draws[1] * _ZOOM - draws[2] * _STRETCH)
    still = torch.zeros_like(angle)
    first = torch.stack([angle.cos() * wide, -angle.sin() * high, still], dim=1)
    second = torch.stack([angle.sin() * wide, angle.cos() * high, still], dim=1)
    grid = F.affine_grid(torch.stack([first, second], dim=1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False), targets
