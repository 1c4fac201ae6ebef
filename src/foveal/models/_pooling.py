"""What is left of a map once where things are no longer counts."""

import torch
from torch import Tensor, nn

_FLOOR = 1e-6  # below the root: its slope at 0 has no end


class SignedRootMeanSquare(nn.Module):
    """Maps to the root mean squares of what is above 0 and of what is below: (N, C, H, W) → (N, 2 C, 1, 1).

    A mean forgets what fills little of a picture; squares count strong answers more, wherever they are. It
    is the generalized mean with exponent 2 of Radenović, Tolias & Chum, "Fine-tuning CNN Image Retrieval with
    No Human Annotation", 2018, equation 3, for maps that have both signs.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Return what is pooled, 0.001 or more."""
        both = torch.cat([maps.relu(), (-maps).relu()], dim=1)
        return (both.square().mean(dim=(2, 3), keepdim=True) + _FLOOR).sqrt()
