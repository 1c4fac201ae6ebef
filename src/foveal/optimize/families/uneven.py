"""The original without channels, more of them where that does least damage for the time it saves.

Damage is the divergence of the answers from the original's when one group alone is cut and the batch norms
are set anew, without training (Li et al., "EagleEye", 2020). Which width each group gets is a knapsack; it is
then mended with the true cost, which input and output widths decide together (`optimize.knapsack`).
"""

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from foveal.data.dataset import UInt8
from foveal.optimize import knapsack
from foveal.optimize.candidate import Candidate, Start
from foveal.optimize.channels.removal import macs_left
from foveal.optimize.divergence import mean_kl_of_logits
from foveal.optimize.families._inherited import without_units
from foveal.optimize.knapsack import Choice, Option
from foveal.optimize.scored_units import Units
from foveal.optimize.steps.prune import cut
from foveal.optimize.steps.recalibrated import recalibrated
from foveal.optimize.throughput import answered_in
from foveal.tasks.recognizer import Recognizer

_TARGETS = (0.65, 0.45, 0.25)  # multiply-adds that are left, as shares
_KEPT = (0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125)  # of the units of a group
_ROUND_TO = 8  # as matrix units of processors like it
_FEWEST, _MOST = 64, 256  # pictures
_SHARE = 0.6  # of a family's time: for finding out what damage each cut does


def uneven(start: Start) -> list[Candidate]:
    """Return a candidate for each share of the multiply-adds; none where the damage takes too long to find.

    Args:
        start: The original is pruned; its pictures say what each cut does.
    """
    units = start.units
    widths = [_widths(len(group)) for group in units.groups]
    cuts = sum(len(each) - 1 for each in widths)
    # Each cut is run twice over the pictures: once to set its norms, once to answer.
    seconds = _SHARE * start.seconds / (2 * max(1, cuts))
    count = answered_in(seconds, start.original, start.shown, at_least=_FEWEST, at_most=_MOST)
    damages = _damages(start.original, units, widths, start.shown[:count], seconds=start.seconds)
    if damages is None:
        return []
    made = {}
    for target in _TARGETS:
        counts = _solved(start, units, widths, damages, target)
        if counts is not None:
            made[tuple(counts.values())] = without_units(start, f"uneven-{100 * target:.0f}", counts)
    return list(made.values())


def _widths(units: int) -> list[int]:
    """Return how many units may stay, all of them first."""
    rounded = {max(_ROUND_TO, _ROUND_TO * round(share * units / _ROUND_TO)) for share in _KEPT}
    return [units, *sorted((width for width in rounded if width < units), reverse=True)]


def _damages(
    original: Recognizer, units: Units, widths: Sequence[Sequence[int]], shown: UInt8, *, seconds: float
) -> list[list[float]] | None:
    """Return what each width of each group does alone, in nats, rising; None if it takes too long."""
    truth, until = original.logits(shown), time.monotonic() + seconds
    damages = []
    for group, each in zip(units.groups, widths, strict=True):
        row = [0.0]
        for width in each[1:]:
            if time.monotonic() > until:
                return None
            made = recalibrated(cut(original, units.groups, units.scores, {group.name: width}), shown)
            damage = mean_kl_of_logits(truth, made.logits(shown))
            row.append(max(row[-1], damage))  # a smaller cut never does more damage, but for chance
        damages.append(row)
    return damages


def _solved(
    start: Start,
    units: Units,
    widths: Sequence[Sequence[int]],
    damages: Sequence[Sequence[float]],
    target: float,
) -> dict[str, int] | None:
    """Return how many units of each group stay so that at most a share of the multiply-adds is left."""
    network, places = start.original.network, _places(start.original)

    def counts(choice: Choice) -> dict[str, int]:
        return {g.name: each[i] for g, each, i in zip(units.groups, widths, choice, strict=True)}

    def cost(choice: Choice) -> float:
        return macs_left(network, units.groups, counts(choice), places)

    whole = (0,) * len(widths)
    total = cost(whole)
    options = [
        [
            Option(damage, cost((*whole[:at], index, *whole[at + 1 :])))
            for index, damage in enumerate(damages[at])
        ]
        for at in range(len(widths))
    ]
    # Savings of single cuts add up to more than they save together, so this begins above the target.
    begun = knapsack.solve(options, budget=(len(widths) - 1 + target) * total) or whole
    choices = [
        knapsack.refine(options, choice, cost=cost, budget=target * total)
        for choice in dict.fromkeys((begun, whole))
    ]
    fitting = [choice for choice in choices if choice is not None]
    if not fitting:
        return None
    return counts(min(fitting, key=lambda choice: knapsack.damage_of(options, choice)))


def _places(recognizer: Recognizer) -> dict[str, int]:
    """Return at how many places of a picture or clip each convolution and linear layer is applied."""
    found: dict[str, int] = {}
    layers = {
        name: module
        for name, module in recognizer.network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }

    def watch(name: str, channel: int) -> object:
        def note(_module: nn.Module, _given: object, made: torch.Tensor) -> None:
            found[name] = found.get(name, 0) + made.numel() // made.shape[channel]

        return layers[name].register_forward_hook(note)

    handles = [watch(name, 1 if isinstance(layer, nn.Conv2d) else -1) for name, layer in layers.items()]
    try:
        recognizer.logits(np.zeros((1, *recognizer.preprocess.shape), dtype=np.uint8))
    finally:
        for handle in handles:
            handle.remove()  # type: ignore[attr-defined]
    return found
