"""The objective that a recipe names: its class, its settings and what it wants left open choices to be."""

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from foveal.core import catalog
from foveal.core.errors import UnknownNameError
from foveal.train import objectives
from foveal.train.objectives.supervised import Supervised
from foveal.train.setting import filled


def offered() -> list[str]:
    """List the objectives that a recipe may name; what needs more than numbers is not among them."""
    return [name for name in catalog.names(objectives) if _stated(name, "SETTINGS") is not None]


def kind(name: str) -> type[Supervised]:
    """Return the class of an objective.

    Raises:
        UnknownNameError: A recipe cannot name it.
    """
    name = _known(name)
    module = importlib.import_module(f"{objectives.__name__}.{name}")
    (found,) = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Supervised) and value.__module__ == module.__name__
    ]
    return found


def settings_of(name: str, given: Mapping[str, float]) -> dict[str, float]:
    """Return all settings of an objective, those that were given and the defaults of the rest.

    Raises:
        UnknownNameError: A recipe cannot name the objective.
        RecipeError: It has no such setting, or the value makes no sense.
    """
    name = _known(name)
    return filled(_stated(name, "SETTINGS"), given, of=name)


def label_smoothing(name: str) -> float:
    """Return the label smoothing that an objective learns best with."""
    return float(_stated(_known(name), "LABEL_SMOOTHING"))


def wants_unlabelled(name: str) -> bool:
    """Return whether an objective learns from pictures without labels, too: as many as its `share` says."""
    return bool(_stated(_known(name), "UNLABELLED"))


def _known(name: str) -> str:
    if catalog.written(name) not in offered():
        raise UnknownNameError("objectives", name, offered(), hint="--objective takes one of these")
    return catalog.written(name)


def _stated(name: str, what: str) -> Any:
    return getattr(importlib.import_module(f"{objectives.__name__}.{name}"), what, None)
