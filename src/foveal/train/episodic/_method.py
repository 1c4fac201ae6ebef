"""The few-shot method that a recipe names: its class, its settings, how it usually learns, and its name."""

import difflib
import importlib
import inspect
from collections.abc import Mapping
from typing import Any

import torch

from foveal import models
from foveal.core import catalog
from foveal.core.errors import RecipeError, UnknownNameError
from foveal.core.random import seed_for
from foveal.data.preprocess import Preprocess
from foveal.train import episodic
from foveal.train.episodic._episodic import Episodic
from foveal.train.episodic._usual import Usual
from foveal.train.plan import Plan
from foveal.train.setting import Setting


def usual(method: str) -> Usual:
    """Return how a method usually learns.

    Raises:
        UnknownNameError: No such file.
    """
    found: Usual = _module(method).USUAL
    return found


def kind(method: str) -> type[Episodic]:
    """Return the class of a method.

    Raises:
        UnknownNameError: No such file.
    """
    module = _module(method)
    (found,) = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Episodic) and value.__module__ == module.__name__
    ]
    return found


def label(method: str, settings: Mapping[str, float]) -> str:
    """Return what is said of a method: one of first order is never called by the name of the other.

    >>> label("maml", {"first_order": 1})
    'first-order MAML'
    """
    order = "first-order " if settings.get("first_order") else ""
    return f"{order}{usual(method).name}"


def settings_of(method: str, given: Mapping[str, float | None]) -> dict[str, float]:
    """Return all settings of a method, those that were given and the defaults of the rest.

    Raises:
        UnknownNameError: No such method.
        RecipeError: It has no such setting, or the value makes no sense.
    """
    known: dict[str, Setting] = _module(method).SETTINGS
    wanted = {key: value for key, value in given.items() if value is not None}
    for key, value in wanted.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            other = "maml and anil adapt by inner steps" if not known else f"it has: {', '.join(known)}"
            raise RecipeError(
                f"{usual(method).name} has no setting {key!r}",
                hint=f"did you mean {near[0]!r}?" if near else other,
            )
        if not known[key].allows(value):
            raise RecipeError(
                f"{key} is from {known[key].least:g} to {known[key].most:g}; got {value:g}",
                hint=known[key].meaning,
            )
    return {key: float(wanted.get(key, setting.default)) for key, setting in known.items()}


def begin(plan: Plan, preprocess: Preprocess) -> Episodic:
    """Return the objective of a plan with its initial weights: a pure function of its arguments."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(plan.seed, "weights"))
        network = models.architecture(plan.model).build(**plan.arguments)
        return kind(plan.objective)(
            network, settings=plan.settings, preprocess=preprocess, augmentation=plan.augmentation
        )


def _module(method: str) -> Any:
    name = catalog.written(method)
    if name not in catalog.names(episodic):
        raise UnknownNameError("methods", method, catalog.names(episodic), hint="--method takes one of these")
    return importlib.import_module(f"{episodic.__name__}.{name}")
