"""Look a plug-in up by its file name: the folder is the registry.

People write and read `svm-hog`, the file is `svm_hog.py`; where a name is asked for, both will do.
"""

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


def spoken(name: str) -> str:
    """Return a file's name as people read it.

    >>> spoken("svm_hog")
    'svm-hog'
    """
    if ":" in name:  # of somebody's own program: it is theirs to spell
        return name
    return name.replace("_", "-")


def written(name: str) -> str:
    """Return the file's name for a name that somebody wrote either way.

    >>> written("svm-hog"), written("svm_hog")
    ('svm_hog', 'svm_hog')
    """
    return name.replace("-", "_")


def find(folder: ModuleType, name: str) -> Any:
    """Return the object `<name>` of `folder/<name>.py`; the name may be written either way.

    Raises:
        UnknownNameError: No such file; the message lists the files and the nearest name.
    """
    name = written(name)
    if name not in names(folder):
        raise UnknownNameError(folder.__name__.rpartition(".")[2], name, names(folder))
    return getattr(importlib.import_module(f"{folder.__name__}.{name}"), name)
