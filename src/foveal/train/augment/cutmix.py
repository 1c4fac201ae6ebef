"""Paste a rectangle of another picture; the targets follow the area.

Source: Yun et al., "CutMix", 2019, equations 1 and 2.
"""

import torch
from torch import Tensor

from foveal.train.augment.mixup import draw
from foveal.train.objective import Batch


def cutmix(images: Tensor, targets: Tensor, *, strength: float, batch: Batch) -> tuple[Tensor, Tensor]:
    """Paste the same rectangle, from a partner, into every picture of the batch.

    Args:
        images: (N, C, H, W).
        targets: (N, K).
        strength: Alpha of the Beta(alpha, alpha) distribution of the kept area; 0 is off.
        batch: Gives the generator.
    """
    if strength == 0:
        return images, targets
    share, partner = draw(strength, len(images), batch.generator)
    height, width = images.shape[2:]
    high, wide = round(height * (1 - share) ** 0.5), round(width * (1 - share) ** 0.5)
    top = int(torch.randint(height - high + 1, (), generator=batch.generator))
    left = int(torch.randint(width - wide + 1, (), generator=batch.generator))
    mixed = images.clone()
    mixed[:, :, top : top + high, left : left + wide] = images[partner][
        :, :, top : top + high, left : left + wide
    ]
    kept = 1 - high * wide / (height * width)
    return mixed, targets.lerp(targets[partner], 1 - kept)
