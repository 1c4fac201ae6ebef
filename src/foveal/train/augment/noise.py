"""Normal noise, of another strength on each picture.

Source: Rusak et al., "A Simple Way to Make Neural Networks Robust Against Diverse Image Corruptions", 2020.
"""

import torch
from torch import Tensor

from foveal.train.objective import Batch


def noise(images: Tensor, targets: Tensor, *, strength: float, batch: Batch) -> tuple[Tensor, Tensor]:
    """Add independent normal noise to every pixel and channel.

    Noise is among the types of ImageNet-C: robustness to it, measured afterwards, is to something seen.

    Args:
        images: (N, C, H, W), normalized.
        targets: (N, K).
        strength: Largest standard deviation, in those of the pictures; each picture has its own, from 0 up.
        batch: Gives the generator.
    """
    if strength == 0:
        return images, targets
    deviations = torch.rand(len(images), 1, 1, 1, generator=batch.generator) * strength
    return images + deviations * torch.randn(images.shape, generator=batch.generator), targets
