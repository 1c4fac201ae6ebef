"""One step to the rim of the ball, along the gradient."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from foveal.core.errors import UsageError
from foveal.perturb.attacks.ascent import ascend
from foveal.perturb.attacks.ball import Ball


def fgsm(
    logits: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    steps: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return pictures moved by the radius in the direction in which cross-entropy grows fastest.

    The weakest attack: what it finds says little about what stronger ones would.

    Source: Goodfellow et al., "Explaining and Harnessing Adversarial Examples", 2015, §4.

    Args:
        logits: Pixel values (N, C, H, W) in 0 to 255 to logits (N, K), differentiable.
        images: float32 (N, C, H, W) in 0 to 255.
        labels: The true classes, int64 (N,).
        ball: How far each picture may be moved.
        steps: It has one.
        generator: Not asked: nothing is random.

    Raises:
        UsageError: Other than one step.
    """
    if steps != 1:
        raise UsageError(f"fgsm has one step; got {steps}", hint="pgd has several")
    return ascend(
        lambda moved: F.cross_entropy(logits(moved).float(), labels, reduction="sum"),
        images,
        images,
        ball=ball,
        step=ball.radius,
        steps=1,
    )
