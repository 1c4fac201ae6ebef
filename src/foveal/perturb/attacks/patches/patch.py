"""One patch that makes any picture be taken for one class, wherever and however it is laid on.

Source: Brown et al., "Adversarial Patch", 2017, equation 1: the expectation over pictures, places and
transformations. https://arxiv.org/abs/1712.09665
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from foveal.core.errors import UsageError
from foveal.perturb.attacks.laying import Patch, laid, side_of

_BATCH = 32
_PIXELS = 2**19  # in a batch, at most: 10 pictures of 224 x 224
_FIRST, _LAST = 32.0, 2.0  # grey levels that a pixel moves by in a step


def patch(
    logits: Callable[[Tensor], Tensor],
    images: Tensor,
    *,
    target: int,
    share: float,
    steps: int,
    generator: torch.Generator,
) -> Patch:
    """Return a patch trained on some pictures; lay it on others to measure it.

    Each step draws a batch of the pictures, the smaller the larger they are, and a pose for each; see
    `patches.laid`.

    Args:
        logits: Of the network, for float32 pixel values 0 to 255 (N, C, H, W); (N, K), differentiable.
        images: float32 (N, C, H, W), N ≥ 1, 0 to 255; their classes do not matter.
        target: Class to be taken for, 0 to K - 1.
        share: Of the picture's area that it covers at scale 1, in (0, 1).
        steps: At least 1.
        generator: Draws the start, batches and poses.

    Raises:
        UsageError: No pictures, no step, or a share that is no pixel.
    """
    if images.ndim != 4 or len(images) == 0 or steps < 1:
        raise UsageError(
            f"a patch needs pictures (N, C, H, W) and a step; got {tuple(images.shape)}, {steps}"
        )
    side = side_of(share, images.shape[2], images.shape[3])
    pixels = 255 * torch.rand(images.shape[1], side, side, generator=generator)
    mask = torch.ones(side, side)
    batch = min(_BATCH, len(images), max(1, _PIXELS // (images.shape[2] * images.shape[3])))
    for step in range(steps):
        rows = torch.randint(len(images), (batch,), generator=generator)
        pixels.requires_grad_(True)
        answers = logits(laid(pixels, mask, images[rows], generator=generator))
        loss = F.cross_entropy(answers, torch.full((len(rows),), target))
        (gradient,) = torch.autograd.grad(loss, pixels)
        cooled = (1 + math.cos(math.pi * step / steps)) / 2
        move = _LAST + (_FIRST - _LAST) * cooled
        pixels = (pixels.detach() - move * gradient.sign()).clamp(0, 255)
    return Patch(pixels, mask, target, share)
