"""Blend pairs of pictures and their targets.

Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018, equation 1.
"""

import numpy as np
import torch
from torch import Tensor

from foveal.train.objective import Batch


def mixup(images: Tensor, targets: Tensor, *, strength: float, batch: Batch) -> tuple[Tensor, Tensor]:
    """Blend each picture with another of the batch; one share for the whole batch.

    Args:
        images: (N, C, H, W).
        targets: (N, K).
        strength: Alpha of the Beta(alpha, alpha) distribution the share is drawn from; 0 is off.
        batch: Gives the generator.
    """
    if strength == 0:
        return images, targets
    share, partner = draw(strength, len(images), batch.generator)
    return images.lerp(images[partner], 1 - share), targets.lerp(targets[partner], 1 - share)


def draw(alpha: float, count: int, generator: torch.Generator) -> tuple[float, Tensor]:
    """Return the kept share, Beta(alpha, alpha), and each picture's partner, int64 (N,)."""
    seed = int(torch.randint(2**62, (), generator=generator))
    share = float(np.random.default_rng(seed).beta(alpha, alpha))  # torch's Beta takes no generator
    return share, torch.randperm(count, generator=generator)
