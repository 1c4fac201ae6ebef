"""Blank a square of each picture, so that no single detail is enough.

Source: DeVries & Taylor, "Improved Regularization of CNNs with Cutout", 2017.
"""

import torch
from torch import Tensor

from foveal.train.objective import Batch

STRONGEST = 1.0


def cutout(images: Tensor, targets: Tensor, *, strength: float, batch: Batch) -> tuple[Tensor, Tensor]:
    """Set a square at a random place, cut off at the border, to the mean (0).

    Args:
        images: (N, C, H, W), normalized.
        targets: (N, K).
        strength: Side of the square as a share of the picture's, in [0, 1].
        batch: Gives the generator.
    """
    count, _, height, width = images.shape
    side = round(strength * min(height, width))
    if side == 0:
        return images, targets
    top = torch.randint(0, height, (count, 1, 1, 1), generator=batch.generator) - side // 2
    left = torch.randint(0, width, (count, 1, 1, 1), generator=batch.generator) - side // 2
    down, across = torch.arange(height).view(1, 1, -1, 1), torch.arange(width).view(1, 1, 1, -1)
    hole = (down >= top) & (down < top + side) & (across >= left) & (across < left + side)
    return images.masked_fill(hole, 0.0), targets
