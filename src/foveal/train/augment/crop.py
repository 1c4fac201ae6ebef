"""Show a part of each picture at full size.

Source: Szegedy et al., "Going Deeper with Convolutions", 2015, §6.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from foveal.train.objective import Batch

STRONGEST = 0.9
_STRETCH = 0.2  # natural logarithm of the change of aspect


def crop(images: Tensor, targets: Tensor, *, strength: float, batch: Batch) -> tuple[Tensor, Tensor]:
    """Cut out a rectangle of each picture, anywhere in it, and bring it to the picture's size.

    Args:
        images: (N, C, H, W).
        targets: (N, K).
        strength: Largest share of the area that is cut away, in [0, 0.9].
        batch: Gives the generator.
    """
    if strength == 0:
        return images, targets
    draws = torch.rand(4, len(images), generator=batch.generator)
    side = (1 - strength * draws[0]).sqrt()
    stretch = torch.exp((2 * draws[1] - 1) * _STRETCH)
    wide, high = (side * stretch).clamp(max=1), (side / stretch).clamp(max=1)
    across, down = (2 * draws[2] - 1) * (1 - wide), (2 * draws[3] - 1) * (1 - high)
    still = torch.zeros_like(side)
    rows = torch.stack([wide, still, across], dim=1), torch.stack([still, high, down], dim=1)
    grid = F.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False), targets
