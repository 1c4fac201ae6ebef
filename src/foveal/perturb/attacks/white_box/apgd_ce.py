"""Auto-PGD on cross-entropy."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from foveal.perturb.attacks.ball import Ball
from foveal.perturb.attacks.white_box._auto import Hunt, hunt


def apgd_ce(
    logits: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    steps: int,
    generator: torch.Generator,
    clear: float = 0.0,
) -> Tensor:
    """Return for each picture the one that is misread by the largest margin, of all on the way uphill.

    Source: Croce & Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
    Parameter-free Attacks", 2020, §3.

    Args:
        logits: Pixel values (N, C, H, W) in 0 to 255 to logits (N, K), differentiable.
        images: float32 (N, C, H, W) in 0 to 255.
        labels: The true classes, int64 (N,).
        ball: How far each picture may be moved.
        steps: At most so many; pictures that are misread clearly take no more.
        generator: The only source of randomness.
        clear: Misread clearly is what has another logit above the true one by more than this, ≥ 0.
    """

    def cross_entropy(answers: Tensor, rows: Tensor) -> Tensor:
        return F.cross_entropy(answers.float(), labels[rows], reduction="none")

    return hunt(Hunt(logits, images, labels, cross_entropy, ball, clear), steps=steps, generator=generator)
