"""Normal noise, of another strength in each band: no band is so clean that all rests on it."""

import torch
from torch import Tensor

from foveal.train.objective import Batch


def band_noise(images: Tensor, targets: Tensor, *, strength: float, batch: Batch) -> tuple[Tensor, Tensor]:
    """Add independent normal noise to every pixel, in each band of each picture with its own deviation.

    All frames of a clip get the same.

    Args:
        images: (N, C, H, W), normalized; of clips (N, T·C, H, W).
        targets: (N, K).
        strength: Largest standard deviation, in those of the pictures.
        batch: Gives the generator, and the bands of a frame.
    """
    if strength == 0:
        return images, targets
    frames = images.shape[1] // batch.channels
    drawn = torch.rand(len(images), batch.channels, 1, 1, generator=batch.generator) * strength
    shape = (len(images), batch.channels, *images.shape[2:])
    noise = drawn * torch.randn(shape, generator=batch.generator)
    return images + noise.repeat(1, frames, 1, 1), targets
