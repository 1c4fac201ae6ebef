"""Pixels as features: the picture itself, made smaller where it is large."""

import torch.nn.functional as F
from torch import Tensor, nn

_LARGEST_SIDE = 32


class Pixels(nn.Module):
    """Normalized images (N, C, size, size) to features (N, C · side²): means of blocks of pixels."""

    def __init__(self, *, channels: int, size: int) -> None:
        """Choose the smallest block that leaves a side of at most 32.

        Args:
            channels: Of the images.
            size: Side of the images in pixels; what does not divide is left out at the right and at the
                bottom.
        """
        super().__init__()
        self.block = -(-size // _LARGEST_SIDE)
        self.features = channels * (size // self.block) ** 2

    def forward(self, images: Tensor) -> Tensor:
        """Return features (N, D) in deviations of the pixels."""
        small = F.avg_pool2d(images, self.block) if self.block > 1 else images
        return small.flatten(1)
