"""Look a plug-in up by its file name: the folder is the registry."""

import importlib
import pkgutil
from types import ModuleType
from typing import Any

from foveal.core.errors import UnknownNameError


def names(folder: ModuleType) -> list[str]:
    """List what `folder` offers, without importing any of it; files that start with `_` are not offered."""
    return sorted(m.name for m in pkgutil.iter_modules(folder.__path__) if m.name[0] != "_" and not m.ispkg)


def folders(folder: ModuleType) -> list[str]:
    """List the folders inside `folder`, each with plug-ins of its own, without importing any."""
    return sorted(m.name for m in pkgutil.iter_modules(folder.__path__) if m.name[0] != "_" and m.ispkg)


def find(folder: ModuleType, name: str) -> Any:
    """Return the object `<name>` of `folder/<name>.py`.

    Raises:
        UnknownNameError: No such file; the message lists the files and the nearest name.
    """
    if name not in names(folder):
        raise UnknownNameError(folder.__name__.rpartition(".")[2], name, names(folder))
    return getattr(importlib.import_module(f"{folder.__name__}.{name}"), name)
