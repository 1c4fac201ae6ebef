"""A patch of its own for each picture, at one place, that makes it be named wrongly.

The strongest patch of an adversary who knows the picture: no chance about pose or place. It lies within one
upright square, which is what a certified patch defence promises about.
Source of the loss: Croce & Hein, 2020 (the margin); of the steps by signs: Madry et al., 2018.
"""

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from foveal.core.errors import UsageError
from foveal.perturb.attacks.laying import side_of, squares

_FIRST, _LAST = 64.0, 2.0  # grey levels that a pixel moves by in a step
_PLAIN = (0.0, 128.0, 255.0)
_PER_SIDE, _MOST = 3, 16


def local_patch(
    logits: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    *,
    share: float,
    steps: int,
    generator: torch.Generator,
    clear: float = 0.0,
) -> Tensor:
    """Return the pictures, each with a square changed at will, float32 (N, C, H, W) in whole levels 0 to 255.

    The square lies where the gradient of the margin is largest, and begins as noise. For pictures that are
    left then, it lies where a plain square lowers the margin most, and begins as that: what hides the one
    part that matters needs no gradient, and no gradient shows it. The first step that is named wrongly
    clearly enough counts, else the one of the least margin of all.

    Args:
        logits: Of the network, for float32 pixel values 0 to 255 (N, C, H, W); (N, K ≥ 2), differentiable.
        images: float32 (N, C, H, W), 0 to 255.
        labels: The truth, int64 (N,).
        share: Of the picture's area that the square covers at most, in (0, 1).
        steps: At least 1.
        generator: Draws the start.
        clear: How far the logit of a wrong class has to be above the true one's before a picture is left
            alone, at least 0: a file that is rounded differs from its network. With infinity none is, but
            only pictures that the network still names rightly get the second start.

    Raises:
        UsageError: Other pictures, no step, or a share that is no pixel.
    """
    if images.ndim != 4 or len(images) != len(labels) or steps < 1:
        raise UsageError(f"need pictures (N, C, H, W) with labels and a step; got {tuple(images.shape)}")
    if len(images) == 0:
        return images.clone()
    side = side_of(share, images.shape[2], images.shape[3])
    margins, gradient = _margins(logits, images, labels)
    best, least = images.clone(), margins

    def drive(left: Tensor, masks: Tensor, start: Tensor) -> None:
        """Keep what is better than the best so far."""
        moved, found = _driven(logits, start, images[left], labels[left], masks, steps=steps, clear=clear)
        better = found < least[left]
        best[left[better]], least[left[better]] = moved[better], found[better]

    noise = (255 * torch.rand(images.shape, generator=generator)).round()
    left = (least >= -clear).nonzero()[:, 0]  # what is named wrongly already needs no patch
    if len(left):
        masks = _steepest(gradient[left].abs().sum(dim=1, keepdim=True), side)
        drive(left, masks, torch.where(masks, noise[left], images[left]))
    # Of a rounded file all are left; to search a place for those misread by now is not worth its price.
    left = (least >= (0.0 if math.isinf(clear) else -clear)).nonzero()[:, 0]
    if len(left):
        drive(left, *_hiding(logits, images[left], labels[left], side))
    return best


def _hiding(
    logits: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor, side: int
) -> tuple[Tensor, Tensor]:
    """Return where a plain square lowers the margin most, bool (N, 1, H, W), and the pictures with it.

    Squares of three greys are tried about three times per side along each axis, and at most at 17 places, so
    that small ones leave gaps: at most 867 answers a picture, usually about 500, as much as 170 steps.
    """
    height, width = images.shape[2:]
    best, least = images.clone(), torch.full((len(images),), math.inf)
    masks = torch.zeros(len(images), 1, height, width, dtype=torch.bool)
    for top, left, grey in itertools.product(_starts(height, side), _starts(width, side), _PLAIN):
        tried = images.clone()
        tried[:, :, top : top + side, left : left + side] = grey
        with torch.no_grad():
            found = _margin(logits(tried), labels)
        better = found < least
        best[better], least[better] = tried[better], found[better]
        masks[better] = False
        masks[better, :, top : top + side, left : left + side] = True
    return masks, best


def _starts(whole: int, side: int) -> list[int]:
    """Return the first rows or columns of squares along an axis, the last one at its very end."""
    step = max(1, side // _PER_SIDE, math.ceil((whole - side) / _MOST))
    return [*range(0, whole - side, step), whole - side]


def _driven(
    logits: Callable[[Tensor], Tensor],
    moved: Tensor,
    images: Tensor,
    labels: Tensor,
    masks: Tensor,
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
    margins = _margin(logits(pixels), labels)
    (gradient,) = torch.autograd.grad(margins.sum(), pixels)
    return margins.detach(), gradient


def _margin(found: Tensor, labels: Tensor) -> Tensor:
    own = found.gather(1, labels[:, None])[:, 0]
    return own - found.masked_fill(F.one_hot(labels, found.shape[1]).bool(), -math.inf).amax(dim=1)


def _steepest(weight: Tensor, side: int) -> Tensor:
    """Return where the square of the largest sum lies, bool (N, 1, H, W)."""
    sums = F.avg_pool2d(weight, side, stride=1)
    place = sums.flatten(1).argmax(dim=1)
    return squares(place // sums.shape[3], place % sums.shape[3], side=side, like=weight)
