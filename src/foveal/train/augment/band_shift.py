"""Move the bands along the spectrum, as filters of another camera, or of another temperature, are moved."""

import torch
from torch import Tensor

from foveal.train.objective import Batch

STRONGEST = 1.0


def band_shift(images: Tensor, targets: Tensor, *, strength: float, batch: Batch) -> tuple[Tensor, Tensor]:
    """Mix each band with its neighbour on one side, the same for all bands of a picture.

    It takes bands that lie beside each other in the spectrum to be beside each other in the picture. The last
    one on that side stays as it is.

    Args:
        images: (N, C, H, W), normalized; of clips (N, T·C, H, W).
        targets: (N, K).
        strength: Largest share of the neighbour, in [0, 1].
        batch: Gives the generator, and the bands of a frame.
    """
    if strength == 0 or batch.channels == 1:
        return images, targets
    drawn = (torch.rand(len(images), generator=batch.generator) * 2 - 1) * strength
    bands = images.reshape(len(images), -1, batch.channels, *images.shape[2:])
    share = drawn.abs()[:, None, None, None, None]
    above = torch.cat([bands[:, :, 1:], bands[:, :, -1:]], dim=2)
    below = torch.cat([bands[:, :, :1], bands[:, :, :-1]], dim=2)
    neighbour = torch.where(drawn[:, None, None, None, None] > 0, above, below)
    return (bands * (1 - share) + neighbour * share).flatten(1, 2), targets
