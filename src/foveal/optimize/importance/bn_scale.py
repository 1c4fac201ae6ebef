"""The scale of the norms of a unit: what a norm shrinks does little. Needs no picture."""

from collections.abc import Sequence

import numpy as np

from foveal.core.errors import UsageError
from foveal.optimize.channels.group import Group
from foveal.optimize.importance._shares import Scores, relative
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples


def bn_scale(
    recognizer: Recognizer, groups: Sequence[Group], examples: Examples | None = None
) -> tuple[Scores, ...]:
    """Return the mean |γ| of the batch norms that scale a unit.

    Source: Liu et al., "Learning Efficient Convolutional Networks through Network Slimming", 2017, §3.

    Raises:
        UsageError: `no_norm`: nothing scales the units of a group.
    """
    return relative(_scales(recognizer, group) for group in groups)


def _scales(recognizer: Recognizer, group: Group) -> Scores:
    found = []
    for place in group.places:
        weight = getattr(recognizer.network.get_submodule(place.module), "weight", None)
        if place.role == "scales" and weight is not None:
            found.append(weight.detach().double().abs().numpy()[place.positions].mean(axis=1))
    if not found:
        raise UsageError(
            f"no batch norm with a scale follows {group.name}",
            code="no_norm",
            hint="take another importance: group_norm needs weights only",
        )
    scales: Scores = np.mean(found, axis=0)
    return scales
