"""One option for each group of channels: the least damage that a budget allows.

The multiple-choice knapsack: minimise Σ damage subject to Σ cost ≤ budget, one option a group. Solved by
dynamic programming over a discretised cost (Kellerer, Pferschy & Pisinger, "Knapsack Problems", 2004, §11.5);
used for pruning to a latency by Shen et al., "Structural Pruning via Latency-Saliency Knapsack", 2022,
arXiv:2210.06659. A layer's true cost depends on its input and its output width together, which no sum over
groups can say: `refine` mends that with the true cost.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from foveal.core.errors import UsageError

Choice = tuple[int, ...]
_STEPS = 4096  # of the discretised cost


@dataclass(frozen=True)
class Option:
    """What one group can become.

    Attributes:
        damage: What it costs in quality, ≥ 0, finite, such as a KL divergence in nats.
        cost: What it takes of the budget, ≥ 0, finite, in the budget's unit, such as seconds.
    """

    damage: float
    cost: float

    def __post_init__(self) -> None:
        if not (0 <= self.damage < math.inf and 0 <= self.cost < math.inf):
            raise UsageError(f"damage and cost are finite and at least 0; got {self.damage} and {self.cost}")


def solve(options: Sequence[Sequence[Option]], *, budget: float) -> Choice | None:
    """Return one index a group so that the costs sum to at most the budget, or None where none do.

    Costs above a group's cheapest are rounded up to 1/4096 of what the dearest choice costs more than the
    cheapest, so that the answer is never above the budget, and a larger budget never brings more damage. The
    damage is the least of all choices whose rounded costs fit; those include every choice that leaves as many
    of these steps unused as there are groups. Of equal damage one of the least rounded cost is taken.

    Args:
        options: Of each group, at least one.
        budget: Finite, in the unit of the costs.

    Raises:
        UsageError: A group has no option, or the budget is no number.
    """
    _check(options, budget)
    costs = [[Fraction(option.cost) for option in group] for group in options]
    room = Fraction(budget) - sum(map(min, costs))
    if room < 0:
        return None
    unit = sum((max(group) - min(group) for group in costs), Fraction()) / _STEPS
    if unit == 0:
        return _dynamic(options, [[0] * len(group) for group in costs], 0)
    steps = [[math.ceil((cost - min(group)) / unit) for cost in group] for group in costs]
    return _dynamic(options, steps, min(math.floor(room / unit), sum(map(max, steps))))


def seeds(options: Sequence[Sequence[Option]], budgets: Sequence[float]) -> tuple[Choice, ...]:
    """Return the choices for several budgets, each once, in the budgets' order; infeasible ones give none.

    Raises:
        UsageError: As for `solve`.
    """
    found = (solve(options, budget=budget) for budget in budgets)
    return tuple(dict.fromkeys(choice for choice in found if choice is not None))


def refine(
    options: Sequence[Sequence[Option]],
    choice: Choice,
    *,
    cost: Callable[[Choice], float],
    budget: float,
) -> Choice | None:
    """Change one group at a time until the true cost is met, then give back what is left over.

    Down: as long as the cost is above the budget, make the change that saves most for its damage (greatest
    saved cost per added damage; one that adds none comes first). Up: as long as one fits, make the change
    that takes away most damage. Every step lowers the cost, or the damage within the budget, so it ends.
    Greedy: None means that no single change went on saving, which is no proof that nothing would fit.

    Args:
        options: Of each group; their own costs are not looked at.
        choice: To start from, one index a group.
        cost: The true cost of a choice, in the budget's unit; equal choices must cost the same.
        budget: Not to be exceeded.

    Raises:
        UsageError: As for `solve`, or the choice is none of these.
    """
    _check(options, budget)
    damage_of(options, choice)
    known: dict[Choice, float] = {}

    def price(one: Choice) -> float:
        if one not in known:
            known[one] = cost(one)
        return known[one]

    while price(choice) > budget:
        cheaper = [near for near in _near(options, choice) if price(near) < price(choice)]
        if not cheaper:
            return None
        choice = min(cheaper, key=lambda near: _worth(options, choice, near, price))
    while better := [
        near
        for near in _near(options, choice)
        if damage_of(options, near) < damage_of(options, choice) and price(near) <= budget
    ]:
        choice = min(better, key=lambda near: (damage_of(options, near), price(near)))
    return choice


def damage_of(options: Sequence[Sequence[Option]], choice: Choice) -> float:
    """Return the sum of the damages.

    Raises:
        UsageError: The choice does not name one option of each group.
    """
    return math.fsum(option.damage for option in _chosen(options, choice))


def cost_of(options: Sequence[Sequence[Option]], choice: Choice) -> float:
    """Return the sum of the costs.

    Raises:
        UsageError: The choice does not name one option of each group.
    """
    return math.fsum(option.cost for option in _chosen(options, choice))


def _dynamic(options: Sequence[Sequence[Option]], steps: Sequence[Sequence[int]], most: int) -> Choice:
    """Return the least damage of all choices whose steps sum to at most `most` ≥ 0."""
    best = np.zeros(most + 1)  # least damage of the groups so far within 0 … most steps
    taken = np.zeros((len(options), most + 1), dtype=np.int64)
    for group, choices in enumerate(options):
        following = np.full(most + 1, np.inf)
        for index, step in enumerate(steps[group]):
            if step > most:
                continue
            damage = best[: most + 1 - step] + choices[index].damage
            improved = damage < following[step:]
            following[step:][improved], taken[group, step:][improved] = damage[improved], index
        best = following
    left, choice = int(np.argmin(best)), []  # the first of equal ones
    for group in reversed(range(len(options))):
        index = int(taken[group, left])
        choice.append(index)
        left -= steps[group][index]
    return tuple(reversed(choice))


def _near(options: Sequence[Sequence[Option]], choice: Choice) -> list[Choice]:
    """Return every choice that differs in one group."""
    return [
        (*choice[:place], index, *choice[place + 1 :])
        for place, group in enumerate(options)
        for index in range(len(group))
        if index != choice[place]
    ]


def _worth(
    options: Sequence[Sequence[Option]], choice: Choice, near: Choice, price: Callable[[Choice], float]
) -> tuple[float, float]:
    """Return added damage per saved cost; of what adds none, the most saved first. Small is good."""
    saved = price(choice) - price(near)
    added = damage_of(options, near) - damage_of(options, choice)
    return max(0.0, added / saved), -saved


def _chosen(options: Sequence[Sequence[Option]], choice: Choice) -> list[Option]:
    if len(choice) != len(options) or not all(
        0 <= index < len(group) for index, group in zip(choice, options, strict=True)
    ):
        raise UsageError(f"need one index for each of {len(options)} groups; got {choice}")
    return [group[index] for index, group in zip(choice, options, strict=True)]


def _check(options: Sequence[Sequence[Option]], budget: float) -> None:
    if not all(options):
        raise UsageError("every group needs at least one option", code="empty")
    if not math.isfinite(budget):
        raise UsageError(f"the budget must be a number; got {budget}")
