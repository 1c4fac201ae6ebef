"""The ascent that chooses its own steps: Auto-PGD.

Source: Croce & Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
Parameter-free Attacks", 2020, §3, algorithm 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from foveal.perturb.attacks.ascent import per_image, project, random_start, uphill
from foveal.perturb.attacks.ball import Ball

_FIRST_STEP = 2.0  # radii
_PUSH = 0.75  # alpha of eq. 2: share of the new step; the rest is momentum
_RISING = 0.75  # rho of condition 1: share of steps that have to gain

Measure = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Hunt:
    """Whom an attack is after, and how it tells that it gains.

    Attributes:
        logits: Pixel values (N, C, H, W) in 0 to 255 to logits (N, K), differentiable.
        images: float32 (N, C, H, W) in 0 to 255.
        labels: The true classes, int64 (N,).
        measure: Logits (M, K) and which of the images they are about, int64 (M,), to what the adversary wants
            large, (M,).
        ball: How far each picture may be moved.
        clear: A picture is left alone once its best other logit is above the true one by more than this, ≥ 0.
    """

    logits: Callable[[Tensor], Tensor]
    images: Tensor
    labels: Tensor
    measure: Measure
    ball: Ball
    clear: float = 0.0


@dataclass
class _Standing:
    """What is known of each picture that still stands, one row each."""

    rows: Tensor
    here: Tensor  # pictures
    before: Tensor
    slopes: Tensor  # at `here`
    value: Tensor
    margin: Tensor  # of what was found
    best: Tensor
    best_slopes: Tensor
    best_value: Tensor
    step: Tensor
    gains: Tensor  # since the last checkpoint
    checked_value: Tensor  # best at the last checkpoint
    halved: Tensor  # whether the step was halved there

    def only(self, kept: Tensor) -> None:
        """Forget the pictures that are not to be kept."""
        if not kept.all():
            for one in fields(self):
                setattr(self, one.name, getattr(self, one.name)[kept])


def checkpoints(steps: int) -> list[int]:
    """Return after which steps the step sizes are looked at.

    >>> checkpoints(100)
    [22, 41, 57, 70, 80, 87, 93, 99]
    """
    shares = [0.0, 0.22]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    places = [math.ceil(round(share * steps, 6)) for share in shares[1:]]
    return sorted({place for place in places if place <= steps})


def hunt(prey: Hunt, *, steps: int, generator: torch.Generator, moved: Tensor | None = None) -> Tensor:
    """Return for each picture the one, of all that were tried, that is misread by the largest margin.

    What is misread clearly already, or becomes so on the way, is left alone from then on: it costs no more
    steps. The algorithm follows its measure; what counts in the end is the margin of the logits.

    Args:
        prey: Whom the attack is after.
        steps: At most so many.
        generator: The only source of randomness.
        moved: What an earlier attack has found; it stays where nothing better is found. None: the images,
            which stay only where they are misread clearly.
    """
    images, ball = prey.images, prey.ball
    found = (images if moved is None else moved).clone()
    with torch.no_grad():
        margins = _margins(prey.logits(found), prey.labels)
    rows = torch.nonzero(~(margins > prey.clear))[:, 0]
    start = random_start(images, ball, generator)  # of all, so that who stands does not matter
    if len(rows) == 0:
        return found
    if moved is None:
        margins = torch.full_like(margins, -torch.inf)  # an image as it is, is no find
    standing = _begin(prey, rows, start[rows], margins[rows], found)
    looks, last = checkpoints(steps), 0
    for number in range(1, steps + 1):
        if len(standing.rows) == 0:
            return found
        _move(prey, standing, momentum=number > 1)
        _judge(prey, standing, found)
        if number in looks:
            _adapt(standing, number - last)
            last = number
    return found


def _margins(logits: Tensor, labels: Tensor) -> Tensor:
    """Return by how much the best other logit is above the true one, (N,)."""
    true = labels[:, None]
    return logits.scatter(1, true, -torch.inf).amax(dim=1) - logits.gather(1, true)[:, 0]


def _begin(prey: Hunt, rows: Tensor, start: Tensor, margin: Tensor, found: Tensor) -> _Standing:
    nothing = torch.full((len(rows),), -torch.inf)
    standing = _Standing(
        rows=rows,
        here=start,
        before=start,
        slopes=torch.zeros_like(start),
        value=nothing.to(start),
        margin=margin,
        best=start,
        best_slopes=torch.zeros_like(start),
        best_value=nothing.to(start),
        step=torch.full((len(rows),), _FIRST_STEP * prey.ball.radius).to(start),
        gains=torch.zeros(len(rows)),
        checked_value=nothing.to(start),
        halved=torch.zeros(len(rows), dtype=torch.bool),
    )
    _judge(prey, standing, found)
    standing.gains.zero_()
    standing.checked_value = standing.best_value.clone()
    return standing


def _move(prey: Hunt, standing: _Standing, *, momentum: bool) -> None:
    """Go one step uphill, and on a little in the direction of the last one (eq. 2)."""
    images, here = prey.images[standing.rows], standing.here
    step = per_image(standing.step, here) * uphill(standing.slopes, prey.ball)
    there = project(here + step, images, prey.ball)
    if momentum:
        there = here + _PUSH * (there - here) + (1 - _PUSH) * (here - standing.before)
        there = project(there, images, prey.ball)
    standing.before, standing.here = here, there


def _judge(prey: Hunt, standing: _Standing, found: Tensor) -> None:
    """Ask the network about where each picture is now; what is misread clearly stands no longer."""
    asked = standing.here.detach().requires_grad_()
    with torch.enable_grad():
        logits = prey.logits(asked)
        values = prey.measure(logits, standing.rows)
        (slopes,) = torch.autograd.grad(values.sum(), asked)
    values, here = values.detach(), asked.detach()
    standing.here, standing.slopes = here, slopes
    standing.gains += values > standing.value
    standing.value = values
    better = values > standing.best_value
    chosen = per_image(better, here)
    standing.best = torch.where(chosen, here, standing.best)
    standing.best_slopes = torch.where(chosen, slopes, standing.best_slopes)
    standing.best_value = torch.where(better, values, standing.best_value)
    margins = _margins(logits.detach(), prey.labels[standing.rows])
    farther = margins > standing.margin
    found[standing.rows[farther]] = here[farther]
    standing.margin = torch.where(farther, margins, standing.margin)
    standing.only(~(standing.margin > prey.clear))


def _adapt(standing: _Standing, steps: int) -> None:
    """Halve the step where it no longer helps, and go back to the best picture there (conditions 1 and 2)."""
    seldom = standing.gains < _RISING * steps
    stuck = ~standing.halved & (standing.best_value <= standing.checked_value)
    halve = seldom | stuck
    back = per_image(halve, standing.here)
    standing.step = torch.where(halve, standing.step / 2, standing.step)
    standing.here = torch.where(back, standing.best, standing.here)
    standing.slopes = torch.where(back, standing.best_slopes, standing.slopes)
    standing.value = torch.where(halve, standing.best_value, standing.value)
    standing.halved, standing.checked_value = halve, standing.best_value.clone()
    standing.gains = torch.zeros_like(standing.gains)
