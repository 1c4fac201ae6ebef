"""A patch for each picture, made to take in a recognizer with an alarm: all masked copies must agree.

Only a copy whose mask hides the patch is out of its reach. So it is put where the clean picture is already
named wrongly under some mask, and made to win all other copies for that wrong name: those above all of which
a mask hides a part of it, for they have the least of it and the same veto.

That a defence has to be attacked as it is: Tramèr et al., "On Adaptive Attacks to Adversarial Example
Defenses", 2020. Steps over copies drawn by chance: Athalye et al., "Synthesizing Robust Adversarial
Examples", 2018, eq. 2.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from foveal.core.errors import UsageError

_FIRST, _LAST = 64.0, 2.0  # grey levels that a pixel moves by in a step
_EACH = 4  # copies of each picture that a step looks at
_TOUCHED = 0.75  # of them, about, lack a part of the patch

Logits = Callable[[Tensor], Tensor]


def alarm_patch(
    logits: Logits,
    images: Tensor,
    labels: Tensor,
    *,
    holes: Tensor,
    fill: Tensor,
    side: int,
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """Return the pictures, each with a square changed at will, float32 (N, C, H, W) in whole levels 0 to 255.

    A picture that is named rightly under every mask cannot be turned; it gets its patch where it is the least
    sure. What the last step made is returned: whether all copies agree, only who is attacked can say.

    Args:
        logits: Of the network, for float32 pixel values 0 to 255 (N, C, H, W); (N, K >= 2), differentiable.
        images: float32 (N, C, H, W), 0 to 255.
        labels: The truth, int64 (N,).
        holes: What each mask hides, a rectangle, bool (M, H, W).
        fill: Of masked pixels, float32 (C,), 0 to 255.
        side: Of the square, in pixels, at least 1.
        steps: At least 1.
        generator: Draws the start, and the copies of each step.

    Raises:
        UsageError: Other pictures or masks, no step, or a square that does not fit.
    """
    if images.ndim != 4 or len(images) != len(labels) or steps < 1 or holes.shape[1:] != images.shape[2:]:
        raise UsageError(
            f"need pictures (N, C, H, W) with labels, masks and a step; got {tuple(images.shape)}"
        )
    if not 1 <= side <= min(images.shape[2:]):
        raise UsageError(f"a square of {side} pixels does not fit into {tuple(images.shape[2:])}")
    if len(images) == 0:
        return images.clone()
    weakest, targets = _weakest(logits, images, labels, holes, fill)
    square = torch.stack([_inside(holes[mask], side) for mask in weakest.tolist()])[:, None]
    chances = _chances(holes, square[:, 0])
    moved = torch.where(square, (255 * torch.rand(images.shape, generator=generator)).round(), images)
    for step in range(steps):
        drawn = torch.multinomial(chances, _EACH, replacement=True, generator=generator)
        gradient = _towards(logits, moved, targets, [holes[masks][:, None] for masks in drawn.T], fill)
        move = _LAST + (_FIRST - _LAST) * (1 + math.cos(math.pi * step / steps)) / 2
        moved = torch.where(square, (moved + move * gradient.sign()).clamp(0, 255).round(), images)
    return moved


def _masked(images: Tensor, hole: Tensor, fill: Tensor) -> Tensor:
    return torch.where(hole, fill.view(-1, 1, 1), images)


@torch.no_grad()
def _weakest(
    logits: Logits, images: Tensor, labels: Tensor, holes: Tensor, fill: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the mask under which each picture is most of another class, (N,), and that class, (N,)."""
    best = torch.full((len(images),), -math.inf)
    mask, targets = torch.zeros_like(labels), torch.zeros_like(labels)
    for place, hole in enumerate(holes):
        others = logits(_masked(images, hole, fill)).log_softmax(dim=1)
        others.scatter_(1, labels[:, None], -math.inf)
        found, classes = others.max(dim=1)
        better = found > best
        best[better], mask[better], targets[better] = found[better], place, classes[better]
    return mask, targets


def _inside(hole: Tensor, side: int) -> Tensor:
    """Return a square in the middle of a hole, as far as it fits into the picture, bool (H, W)."""
    square = torch.zeros_like(hole)
    rows, columns = (hole.any(dim=axis).nonzero()[:, 0] for axis in (1, 0))
    top, left = (int(k[0]) + (len(k) - side) // 2 for k in (rows, columns))
    square[max(0, top) : max(0, top) + side, max(0, left) : max(0, left) + side] = True
    return square


def _chances(holes: Tensor, squares: Tensor) -> Tensor:
    """Return how often each mask is drawn for each picture, (N, M): mostly those that cut its square."""
    seen = torch.stack([(squares & ~hole).flatten(1).sum(dim=1) for hole in holes], dim=1)
    whole = squares.flatten(1).sum(dim=1, keepdim=True)
    cut = ((seen > 0) & (seen < whole)).float()
    found: Tensor = (1 - _TOUCHED) / len(holes) + _TOUCHED * cut / cut.sum(dim=1, keepdim=True).clamp(min=1)
    return found


def _towards(logits: Logits, moved: Tensor, targets: Tensor, holes: list[Tensor], fill: Tensor) -> Tensor:
    """Return the slope of the mean log-probability of the targets over copies, (N, C, H, W)."""
    pixels = moved.detach().clone().requires_grad_(True)
    answers = logits(torch.cat([_masked(pixels, hole, fill) for hole in holes])).log_softmax(dim=1)
    wanted = answers.gather(1, targets.repeat(len(holes))[:, None])
    (gradient,) = torch.autograd.grad(wanted.sum(), pixels)
    return gradient
