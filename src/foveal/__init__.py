"""foveal: from the images you have to a small, fast, proven image recognizer.

Importing this package is cheap: every name below is loaded on first use.

>>> import foveal
>>> "load" in dir(foveal)
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foveal.bundle.predictor import Predictor as Predictor
    from foveal.bundle.predictor import load as load
    from foveal.flows.train import resume as resume
    from foveal.flows.train import train as learn

__version__ = "0.11.0"  # also says whether weights end in the same bits: raise it when they do not

_FOLDERS = (
    "bundle",
    "calibrate",
    "data",
    "evaluate",
    "export",
    "metrics",
    "models",
    "perturb",
    "tasks",
    "train",
)
_WHERE = {
    "Predictor": ("bundle.predictor", "Predictor"),
    "learn": ("flows.train", "train"),  # `train` is the folder
    "load": ("bundle.predictor", "load"),
    "resume": ("flows.train", "resume"),
}

__all__ = ["Predictor", "__version__", "learn", "load", "resume", *_FOLDERS]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        file, defined = _WHERE[name]
        return getattr(import_module(f"foveal.{file}"), defined)
    if name in _FOLDERS:
        return import_module(f"foveal.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
