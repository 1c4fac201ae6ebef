"""The method of adapting that a user names, and its settings."""

import importlib
from collections.abc import Mapping
from typing import Protocol

from foveal.core import catalog
from foveal.core.errors import UnknownNameError
from foveal.core.progress import Progress
from foveal.tasks.recognizer import Recognizer
from foveal.train import adaptation
from foveal.train.adaptation._adapted import Adapted
from foveal.train.examples import Examples
from foveal.train.setting import filled


class Method(Protocol):
    """What a file of `train/adaptation` defines."""

    def __call__(
        self,
        recognizer: Recognizer,
        pictures: Examples,
        settings: Mapping[str, float],
        *,
        seed: int,
        threads: int,
        progress: Progress,
    ) -> Adapted:
        """Return the recognizer, used to the pictures."""


def methods() -> list[str]:
    """List the methods."""
    return catalog.names(adaptation)


def method(name: str) -> Method:
    """Return a method.

    Raises:
        UnknownNameError: No such file.
    """
    found: Method = catalog.find(adaptation, name)
    return found


def settings_of(name: str, given: Mapping[str, float]) -> dict[str, float]:
    """Return all settings of a method, those that were given and the defaults of the rest.

    Raises:
        UnknownNameError: No such method.
        RecipeError: It has no such setting, or the value makes no sense.
    """
    name = catalog.written(name)
    if name not in methods():
        raise UnknownNameError("adaptation", name, methods(), hint="--method takes one of these")
    return filled(importlib.import_module(f"{adaptation.__name__}.{name}").SETTINGS, given, of=name)
