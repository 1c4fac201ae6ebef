"""Which file of this folder holds an architecture: a file is a family, and its members start with its name.

`nano.py` holds `nano`. `resnet.py` states `MEMBERS`, from `resnet18` and so on to what its builder takes for
each. So a name leads to its file without a table of all names (docs/decisions/0034-families.md). What says
where something is lies in the folders `detectors`, `segmenters` and `defects`.
"""

import importlib
from types import ModuleType
from typing import Any

from foveal.core import catalog
from foveal.core.errors import UnknownNameError

SCENE_FOLDERS = ("detectors", "segmenters", "defects")


def names() -> list[str]:
    """List all that give a picture or clip a class, every member of a family by itself.

    All files of the folder are imported.
    """
    return [name for file in _files() for name in _members(_module(file))]


def scene_names() -> list[str]:
    """List all that say where something is, likewise."""
    files = [file for folder in SCENE_FOLDERS for file in _files(folder)]
    return [name for file in files for name in _members(_module(file))]


def is_known(name: str) -> bool:
    """Return whether a file holds this architecture, or it is `timm:NAME`; at most one file is imported."""
    if name.startswith("timm:"):
        from foveal.models import _timm

        return catalog.written(name.removeprefix("timm:")) in _timm.names()
    return _holding(catalog.written(name)) is not None


def found(name: str) -> tuple[ModuleType, dict[str, Any]]:
    """Return the file that holds an architecture, and what its builder takes for it besides its own.

    Args:
        name: With `-` or `_`.

    Raises:
        UnknownNameError: No file holds it; the message lists all.
    """
    written = catalog.written(name)
    module = _holding(written)
    if module is None:
        hint = "--model takes one of these; foveal models says what they cost"
        known = [*names(), *scene_names()]
        raise UnknownNameError("models", name, map(catalog.spoken, known), hint=hint)
    return module, dict(_members(module)[written])


def _holding(name: str) -> ModuleType | None:
    """Return the file with the longest name that this one starts with, where that file has it."""
    everywhere = [file for folder in ("", *SCENE_FOLDERS) for file in _files(folder)]
    files = [file for file in everywhere if name.startswith(file.rpartition(".")[2])]
    if not files:
        return None
    module = _module(max(files, key=lambda file: len(file.rpartition(".")[2])))
    return module if name in _members(module) else None


def _files(folder: str = "") -> list[str]:
    """Return the files of a folder of models, those of an inner one with its name before a dot."""
    if not folder:
        from foveal import models

        return catalog.names(models)
    found = catalog.names(importlib.import_module(f"foveal.models.{folder}"))
    return [f"{folder}.{file}" for file in found]


def _module(file: str) -> ModuleType:
    return importlib.import_module(f"foveal.models.{file}")


def _members(module: ModuleType) -> dict[str, dict[str, Any]]:
    """Return the arguments of each member; a file that states none holds the one it is called by."""
    only: dict[str, dict[str, Any]] = {module.__name__.rpartition(".")[2]: {}}
    return getattr(module, "MEMBERS", only)
