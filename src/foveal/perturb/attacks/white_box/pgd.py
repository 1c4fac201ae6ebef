"""Many steps along the gradient, from a random start."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from foveal.perturb.attacks.ascent import ascend, random_start
from foveal.perturb.attacks.ball import Ball

# Of all steps together, in radii. In L2 a random start is at the rim, at right angles to the gradient; on the
# way along it the tangent of half that angle shrinks as exp(-path); 2.5 leaves 1.3 % of the radius unused.
_PATHS = {"linf": 2.5, "l2": 5.0}


def pgd(
    logits: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """Return the last pictures of projected gradient ascent on cross-entropy, all steps of one size.

    Another generator is another restart; which of several is worst for a picture, the caller decides.

    Source: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", 2018, §2.1.

    Args:
        logits: Pixel values (N, C, H, W) in 0 to 255 to logits (N, K), differentiable.
        images: float32 (N, C, H, W) in 0 to 255.
        labels: The true classes, int64 (N,).
        ball: How far each picture may be moved.
        steps: How many.
        generator: The only source of randomness.
    """
    return ascend(
        lambda moved: F.cross_entropy(logits(moved).float(), labels, reduction="sum"),
        images,
        random_start(images, ball, generator),
        ball=ball,
        step=_PATHS[ball.norm] * ball.radius / max(1, steps),
        steps=steps,
    )
