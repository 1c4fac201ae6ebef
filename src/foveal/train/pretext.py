"""The pretext that a recipe names, around a network with its initial weights."""

import importlib
import inspect
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from foveal.core import catalog
from foveal.core.errors import UnknownNameError
from foveal.core.random import seed_for
from foveal.data.preprocess import Preprocess
from foveal.models import Architecture
from foveal.models._head import head_of, without_head
from foveal.train import pretexts
from foveal.train.examples import Examples
from foveal.train.plan import Plan
from foveal.train.pretexts._pretext import Pretext
from foveal.train.setting import filled
from foveal.train.starting import show


def methods() -> list[str]:
    """List the methods."""
    return catalog.names(pretexts)


def kind(name: str) -> type[Pretext]:
    """Return the class of a method.

    Raises:
        UnknownNameError: No such file.
    """
    module = importlib.import_module(f"{pretexts.__name__}.{_known(name)}")
    (found,) = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Pretext) and value.__module__ == module.__name__
    ]
    return found


def settings_of(name: str, given: Mapping[str, float]) -> dict[str, float]:
    """Return all settings of a method, those that were given and the defaults of the rest.

    Raises:
        UnknownNameError: No such method.
        RecipeError: It has no such setting, or the value makes no sense.
    """
    module = importlib.import_module(f"{pretexts.__name__}.{_known(name)}")
    return filled(module.SETTINGS, given, of=name)


def _known(name: str) -> str:
    if catalog.written(name) not in methods():
        raise UnknownNameError("pretexts", name, methods(), hint="--method takes one of these")
    return catalog.written(name)


def start(
    plan: Plan,
    architecture: Architecture,
    examples: Examples,
    preprocess: Preprocess,
    *,
    initial: Mapping[str, Tensor] | None = None,
) -> Pretext:
    """Return the pretext of a plan with its initial weights: a pure function of plan and pictures.

    Args:
        plan: All choices.
        architecture: Builds the network; its head is left out.
        examples: What is learned from; the network may look at a few of them before the first step.
        preprocess: Gives the normalization and the size.
        initial: Weights of the network without its head; None: they follow from the seed.

    Raises:
        UsageError: `no_maps`: the method restores pictures, and the network has no maps to do it from.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(plan.seed, "weights"))
        whole = architecture.build(**plan.arguments)
        if initial is None:
            show(whole, examples, preprocess)
        network = headless(whole)
        if initial is not None:
            network.load_state_dict(initial)
        torch.manual_seed(seed_for(plan.seed, "pretext"))
        return kind(plan.objective)(
            network, dimensions=head_of(whole)[1].in_features, preprocess=preprocess, settings=plan.settings
        )


def headless(whole: nn.Module) -> nn.Module:
    """Return a copy of a network without the layer that decides, laid out as convolutions are fast in."""
    return without_head(whole).to(memory_format=torch.channels_last)
