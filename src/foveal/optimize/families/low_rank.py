"""The original with layers in two, where their weights have less rank than room."""

from dataclasses import replace
from functools import partial

import numpy as np
from torch import nn

from foveal.optimize.candidate import Candidate, Start
from foveal.optimize.families._inherited import inherited
from foveal.optimize.steps import low_rank as factoring
from foveal.optimize.steps.recalibrated import recalibrated
from foveal.tasks.recognizer import Recognizer

_ENERGY = 0.9  # of the weights that has to fit into what is saved
_SAVED = 0.25  # of the multiply-adds
_SHARES = (0.5, 0.3)  # of a layer's weights that stay
_PICTURES = 64
_WIDEST = 2400  # inputs of a filter; the cost of weighing errors grows with their third power


def low_rank(start: Start) -> list[Candidate]:
    """Return a candidate for each share of the weights, with errors weighed by what the layers see.

    None where a tenth of the weights' energy does not buy a quarter of the multiply-adds: filters that an
    optimizer keeps orthogonal, as muon does, have full rank (docs/benchmarks.md, "Without training").

    Args:
        start: The original's layers are factored; its pictures say which errors matter.
    """
    layers = {
        name
        for name, module in start.original.network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and np.prod(module.weight.shape[1:]) <= _WIDEST
    }
    plain = factoring.low_rank(start.original, energy=_ENERGY, layers=layers).recognizer
    if plain.cost().macs > (1 - _SAVED) * start.macs:
        return []
    made = []
    for share in _SHARES:
        # Ranks follow from the share alone, so this one costs what the weighed one will.
        outline = factoring.low_rank(start.original, share=share, layers=layers).recognizer
        found = inherited(start, f"low-rank-{100 * share:.0f}", outline, kind="factored")
        made.append(replace(found, make=partial(_weighed, start, share, layers)))
    return [one for one in made if one.macs <= (1 - _SAVED) * start.macs]


def _weighed(start: Start, share: float, layers: set[str]) -> Recognizer:
    some = start.shown[:_PICTURES]
    made = factoring.low_rank(start.original, share=share, pictures=some, layers=layers)
    return recalibrated(made.recognizer, start.shown)
