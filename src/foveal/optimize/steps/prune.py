"""Remove whole channels: a smaller network of ordinary layers, faster on any machine."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from torch import nn

from foveal.core import catalog
from foveal.core.errors import UnknownNameError, UsageError
from foveal.optimize import importance as measures
from foveal.optimize.channels import Group, groups
from foveal.optimize.channels.removal import parameters_left, without
from foveal.optimize.importance._shares import Scores
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples

Keep = Mapping[str, int | float] | float


def prune(
    recognizer: Recognizer,
    keep: Keep,
    *,
    importance: str = "group_norm",
    examples: Examples | None = None,
    round_to: int = 8,
) -> Recognizer:
    """Return a recognizer that keeps the most important units of each group; the given one is left alone.

    Args:
        recognizer: Any, also one that was pruned before.
        keep: Per name of a group how many units stay: an int counts them, a float is a share in (0, 1]. A
            group that is not named stays whole. One share for all is a float alone.
        importance: Name of a file in `optimize/importance`.
        examples: What that measure looks at, if it does.
        round_to: A share is rounded to a multiple of this, as matrix units of processors like it; at least
            so many stay, if there are so many.

    Raises:
        UnknownNameError: No such group or importance.
        UsageError: `bad_keep`: a group would be empty or larger than it is; or the measure refuses.
    """
    found = removable(recognizer)
    counts = kept_units(found, keep, round_to=round_to)
    touched = [group for group in found if counts.get(group.name, len(group)) < len(group)]
    scores = catalog.find(measures, importance)(recognizer, touched, examples)
    return cut(recognizer, touched, scores, counts)


def removable(recognizer: Recognizer) -> tuple[Group, ...]:
    """Return the groups of channels that can be removed from a recognizer's network."""
    preprocess = recognizer.preprocess
    frames = None if preprocess.clip is None else preprocess.clip.frames
    return groups(recognizer.network, channels=preprocess.channels, size=preprocess.size, frames=frames)


def cut(
    recognizer: Recognizer, found: Sequence[Group], scores: Sequence[Scores], counts: Mapping[str, int]
) -> Recognizer:
    """Return a recognizer that keeps the units of the highest scores; the given one is left alone.

    Args:
        recognizer: That the groups were found in.
        found: The groups that may lose units.
        scores: Of the units of each, float64 (units,); of equal ones the first stays.
        counts: Per name of a group how many units stay; a group that is not named stays whole.
    """
    kept = {
        group.name: np.isin(np.arange(len(group)), np.argsort(-score, kind="stable")[: counts[group.name]])
        for group, score in zip(found, scores, strict=True)
        if counts.get(group.name, len(group)) < len(group)
    }
    return replace(recognizer, network=without(recognizer.network, found, kept).eval())


def kept_units(found: Sequence[Group], keep: Keep, *, round_to: int = 8) -> dict[str, int]:
    """Return how many units of each named group stay, in the order of the groups.

    Raises:
        UnknownNameError: No such group.
        UsageError: `bad_keep`: a share outside (0, 1], a count outside 1 to all, or `round_to` below 1.
    """
    by_name = {group.name: len(group) for group in found}
    wanted = keep if isinstance(keep, Mapping) else dict.fromkeys(by_name, keep)
    for name in wanted:
        if name not in by_name:
            raise UnknownNameError("the network", name, by_name)
    return {
        name: _count(name, units, wanted[name], round_to) for name, units in by_name.items() if name in wanted
    }


def _count(name: str, units: int, wanted: int | float, round_to: int) -> int:
    counted = isinstance(wanted, int)
    if round_to < 1 or not (1 <= wanted <= units if counted else 0 < wanted <= 1):
        raise UsageError(
            f"{name} has {units} units and cannot keep {wanted} of them, rounded to {round_to}",
            code="bad_keep",
            hint="give a number from 1 to all as an int, or a share above 0 up to 1.0 as a float",
        )
    if counted:
        return int(wanted)
    return min(units, max(round_to, round_to * round(wanted * units / round_to)))


def to_parameters(
    network: nn.Module, found: Sequence[Group], share: float, *, round_to: int = 8
) -> dict[str, int]:
    """Return the units to keep, the same share of every group, so that a share of the parameters goes.

    It keeps as much as it can while at least the wanted share goes.

    Args:
        network: That the groups were found in.
        found: The groups that may lose units.
        share: Of the parameters that go, in [0, 1).
        round_to: As for `prune`.

    Raises:
        UsageError: `too_small`: even the smallest network has more parameters.
    """
    total = parameters_left(network, found, {})
    # Rounding moves a group only at half multiples; between them nothing changes, so these are all shares.
    steps = {min(1.0, (at + 0.5) * round_to / len(g)) for g in found for at in range(1 + len(g) // round_to)}
    shares = sorted({np.nextafter(step, 0.0) for step in steps} | {1.0})
    low, high = 0, len(shares) - 1
    fits: dict[str, int] | None = None
    while low <= high:
        middle = (low + high) // 2
        kept = kept_units(found, float(shares[middle]), round_to=round_to)
        if parameters_left(network, found, kept) <= (1 - share) * total:
            fits, low = kept, middle + 1
        else:
            high = middle - 1
    if fits is None or not 0 <= share < 1:
        raise UsageError(
            f"{share:.0%} of {total} parameters cannot go: too few lie in channels that may be removed",
            code="too_small",
            hint="remove less, or start from a smaller architecture",
        )
    return fits
