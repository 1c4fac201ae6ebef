"""The length of all weights of a unit: what is small does little. Needs no picture."""

from collections.abc import Sequence

import numpy as np

from foveal.optimize.channels.group import Group
from foveal.optimize.importance._shares import Scores, relative
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples


def group_norm(
    recognizer: Recognizer, groups: Sequence[Group], examples: Examples | None = None
) -> tuple[Scores, ...]:
    """Return √Σ w² over all weights, in all layers, that go with a unit; statistics are no weights.

    Source: Fang et al., "DepGraph: Towards Any Structural Pruning", 2023, §3.3.
    """
    return relative(np.sqrt(_squares(recognizer, group)) for group in groups)


def _squares(recognizer: Recognizer, group: Group) -> Scores:
    total = np.zeros(len(group))
    for place in group.places:
        module = recognizer.network.get_submodule(place.module)
        for parameter in module.parameters(recurse=False):
            if place.axis < parameter.ndim:
                values = (
                    parameter.detach().double().movedim(place.axis, 0).flatten(1 if parameter.ndim > 1 else 0)
                )
                squares = values.square().reshape(len(values), -1).sum(dim=1).numpy()
                total += squares[place.positions].sum(axis=1)
    return total
