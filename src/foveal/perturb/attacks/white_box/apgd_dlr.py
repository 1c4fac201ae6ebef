"""Auto-PGD on the difference of logits ratio, away from the true class or towards each of some others."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from foveal.core.errors import UsageError
from foveal.perturb.attacks.ball import Ball
from foveal.perturb.attacks.white_box._auto import Hunt, hunt

_FEWEST_CLASSES = 4  # for the ratio: it needs the third and the fourth logit
_TINY = 1e-12


def apgd_dlr(
    logits: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    steps: int,
    generator: torch.Generator,
    targets: int = 0,
    clear: float = 0.0,
) -> Tensor:
    """Return for each picture the one that is misread by the largest margin, of all on the way uphill.

    The ratio does not change when all logits grow: a network that is merely very sure does not hide from it,
    where the gradient of cross-entropy vanishes. With fewer than 4 classes, for which it is not defined, the
    difference of the logits is taken alone.

    Source: Croce & Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
    Parameter-free Attacks", 2020, eq. 6 and 7.

    Args:
        logits: Pixel values (N, C, H, W) in 0 to 255 to logits (N, K), differentiable.
        images: float32 (N, C, H, W) in 0 to 255.
        labels: The true classes, int64 (N,).
        ball: How far each picture may be moved.
        steps: At most so many, for each target; pictures that are misread clearly take no more.
        generator: The only source of randomness.
        targets: 0: away from the true class. Else towards each of so many other classes in turn, at most all,
            from the most probable of the picture as it is.
        clear: Misread clearly is what has another logit above the true one by more than this, ≥ 0.

    Raises:
        UsageError: A negative number of targets.
    """
    if targets < 0:
        raise UsageError(f"targets are counted from 0; got {targets}")
    if targets == 0:
        away = partial(_away, labels)
        return hunt(Hunt(logits, images, labels, away, ball, clear), steps=steps, generator=generator)
    with torch.no_grad():
        answers = logits(images)
    others = answers.scatter(1, labels[:, None], -torch.inf).argsort(dim=1, descending=True, stable=True)
    moved: Tensor | None = None
    for place in range(min(targets, answers.shape[1] - 1)):
        towards = partial(_towards, labels, others[:, place])
        prey = Hunt(logits, images, labels, towards, ball, clear)
        moved = hunt(prey, steps=steps, generator=generator, moved=moved)
    return images if moved is None else moved


def _away(labels: Tensor, answers: Tensor, rows: Tensor) -> Tensor:
    """Return how far the best other class is above the true one, as a share of first minus third."""
    answers = answers.float()
    true = labels[rows][:, None]
    gap = answers.scatter(1, true, -torch.inf).amax(dim=1) - answers.gather(1, true)[:, 0]
    if answers.shape[1] < _FEWEST_CLASSES:
        return gap
    ranked = answers.sort(dim=1, descending=True).values
    return gap / (ranked[:, 0] - ranked[:, 2] + _TINY)


def _towards(labels: Tensor, wanted: Tensor, answers: Tensor, rows: Tensor) -> Tensor:
    """Return how far the wanted class is above the true one, as a share of first minus third or fourth."""
    answers = answers.float()
    gap = answers.gather(1, wanted[rows][:, None])[:, 0] - answers.gather(1, labels[rows][:, None])[:, 0]
    if answers.shape[1] < _FEWEST_CLASSES:
        return gap
    ranked = answers.sort(dim=1, descending=True).values
    return gap / (ranked[:, 0] - (ranked[:, 2] + ranked[:, 3]) / 2 + _TINY)
