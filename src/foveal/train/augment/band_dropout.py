"""Blank bands, so that what several of them show is learned from several.

Source: Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015, whose dropout of
whole channels is applied to those of the input. Not for what only one band shows: it would be unlearned.
"""

import torch
from torch import Tensor

from foveal.train.objective import Batch

STRONGEST = 1.0


def band_dropout(images: Tensor, targets: Tensor, *, strength: float, batch: Batch) -> tuple[Tensor, Tensor]:
    """Set each band of each picture to its mean (0) with a probability; one band always stays.

    Args:
        images: (N, C, H, W), normalized; of clips (N, T·C, H, W).
        targets: (N, K).
        strength: The probability, in [0, 1].
        batch: Gives the generator, and the bands of a frame.
    """
    if strength == 0:
        return images, targets
    frames = images.shape[1] // batch.channels
    drawn = torch.rand(len(images), batch.channels, generator=batch.generator)
    kept = (drawn >= strength) | (drawn == drawn.amax(1, keepdim=True))
    return images * kept.repeat(1, frames)[..., None, None], targets
