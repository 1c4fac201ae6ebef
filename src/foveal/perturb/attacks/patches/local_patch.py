"""A patch of its own for each picture, at one place, that makes it be named wrongly.

The strongest patch of an adversary who knows the picture: no chance about pose or place. It lies within one
upright square, which is what a certified patch defence promises about.
Source of the loss: Croce & Hein, 2020 (the margin); of the steps by signs: Madry et al., 2018.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from foveal.core.errors import UsageError
from foveal.perturb.attacks.laying import drawn_squares, side_of, squares

_FIRST, _LAST = 64.0, 2.0  # grey levels that a pixel moves by in a step


def local_patch(
    logits: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    *,
    share: float,
    steps: int,
    generator: torch.Generator,
    clear: float = 0.0,
    places: int = 1,
) -> Tensor:
    """Return the pictures, each with a square changed at will, float32 (N, C, H, W) in whole levels 0 to 255.

    The square lies where the gradient of the margin is largest, then, for pictures that are left, at places
    drawn by chance. The first step that is named wrongly clearly enough counts, else the one of the least
    margin of all.

    Args:
        logits: Of the network, for float32 pixel values 0 to 255 (N, C, H, W); (N, K ≥ 2), differentiable.
        images: float32 (N, C, H, W), 0 to 255.
        labels: The truth, int64 (N,).
        share: Of the picture's area that the square covers at most, in (0, 1).
        steps: At least 1.
        generator: Draws the start.
        clear: How far the logit of a wrong class has to be above the true one's before a picture is left
            alone, at least 0: a file that is rounded differs from its network.
        places: Where the square is tried one after the other, at least 1.

    Raises:
        UsageError: Other pictures, no step, no place, or a share that is no pixel.
    """
    if images.ndim != 4 or len(images) != len(labels) or steps < 1 or places < 1:
        raise UsageError(
            f"need pictures (N, C, H, W) with labels, a step and a place; got {tuple(images.shape)}"
        )
    if len(images) == 0:
        return images.clone()
    side = side_of(share, images.shape[2], images.shape[3])
    margins, gradient = _margins(logits, images, labels)
    masks = _steepest(gradient.abs().sum(dim=1, keepdim=True), side)
    best, least = images.clone(), margins
    for place in range(places):
        if place > 0:
            masks = drawn_squares(images, side, generator=generator)
        start = torch.where(masks, (255 * torch.rand(images.shape, generator=generator)).round(), images)
        left = (least >= -clear).nonzero()[:, 0]  # what is named wrongly already needs no patch
        if len(left) == 0:
            break
        some = (images[left], labels[left], masks[left], start[left])
        moved, found = _driven(logits, *some, steps=steps, clear=clear)
        better = found < least[left]
        best[left[better]], least[left[better]] = moved[better], found[better]
    return best


def _driven(
    logits: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    masks: Tensor,
    moved: Tensor,
    *,
    steps: int,
    clear: float,
) -> tuple[Tensor, Tensor]:
    """Return the pictures of least margin on the way downhill inside the masks, and those margins, (N,)."""
    best, least = moved.clone(), torch.full((len(images),), math.inf)
    left = torch.arange(len(images))
    for step in range(steps + 1):
        margins, gradient = _margins(logits, moved, labels[left])
        better = margins < least[left]
        best[left[better]], least[left[better]] = moved[better], margins[better]
        move = _LAST + (_FIRST - _LAST) * (1 + math.cos(math.pi * step / (steps + 1))) / 2
        moved = (moved - move * gradient.sign()).clamp(0, 255).round()
        going = margins >= -clear
        left, moved = left[going], torch.where(masks[left], moved, images[left])[going]
        if len(left) == 0:
            break
    return best, least


def _margins(logits: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the true class's logit less the largest other, (N,), and its gradient, (N, C, H, W)."""
    pixels = images.detach().clone().requires_grad_(True)
    found = logits(pixels)
    own = found.gather(1, labels[:, None])[:, 0]
    others = found.masked_fill(F.one_hot(labels, found.shape[1]).bool(), -math.inf).amax(dim=1)
    margins = own - others
    (gradient,) = torch.autograd.grad(margins.sum(), pixels)
    return margins.detach(), gradient


def _steepest(weight: Tensor, side: int) -> Tensor:
    """Return where the square of the largest sum lies, bool (N, 1, H, W)."""
    sums = F.avg_pool2d(weight, side, stride=1)
    place = sums.flatten(1).argmax(dim=1)
    return squares(place // sums.shape[3], place % sums.shape[3], side=side, like=weight)
