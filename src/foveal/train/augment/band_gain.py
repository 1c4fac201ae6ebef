"""Change gain and offset of each band by itself, as lamps, exposures and filters do."""

import torch
from torch import Tensor

from foveal.train.objective import Batch


def band_gain(images: Tensor, targets: Tensor, *, strength: float, batch: Batch) -> tuple[Tensor, Tensor]:
    """Give each band of each picture its own factor and offset.

    Args:
        images: (N, C, H, W), normalized; of clips (N, T·C, H, W).
        targets: (N, K).
        strength: Largest change: of the gain as the natural logarithm of a factor, of the offset in standard
            deviations.
        batch: Gives the generator, and the bands of a frame.
    """
    if strength == 0:
        return images, targets
    frames = images.shape[1] // batch.channels
    draws = (torch.rand(2, len(images), batch.channels, generator=batch.generator) * 2 - 1) * strength
    gain, offset = draws.repeat(1, 1, frames)[..., None, None]
    return images * torch.exp(gain) + offset, targets
