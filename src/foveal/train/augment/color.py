"""Change brightness, contrast and, of colours, saturation."""

import torch
from torch import Tensor

from foveal.train.objective import Batch


def color(images: Tensor, targets: Tensor, *, strength: float, batch: Batch) -> tuple[Tensor, Tensor]:
    """Change each picture by its own factors.

    Args:
        images: (N, C, H, W), normalized; of clips (N, T·C, H, W).
        targets: (N, K).
        strength: Largest change: brightness in standard deviations, contrast and saturation as the
            natural logarithm of a factor.
        batch: Gives the generator, and the channels of a frame.
    """
    if strength == 0:
        return images, targets
    draws = (torch.rand(3, len(images), 1, 1, 1, generator=batch.generator) * 2 - 1) * strength
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = (images - mean) * torch.exp(draws[0]) + mean + draws[1]
    if batch.channels == 3:
        frames = images.reshape(len(images), -1, 3, *images.shape[2:])
        grey = frames.mean(dim=2, keepdim=True)
        images = (grey + (frames - grey) * torch.exp(draws[2])[..., None]).flatten(1, 2)
    return images, targets
