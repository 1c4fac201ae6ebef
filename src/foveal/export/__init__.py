"""From a trained network to the file that ships, and the proof that both decide alike."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foveal.export.sealing import Exported as Exported
    from foveal.export.sealing import Origin as Origin
    from foveal.export.sealing import bundle as bundle

_FROM_SEALING = ("Exported", "Origin", "bundle")

__all__ = ["Exported", "Origin", "bundle"]


def __getattr__(name: str) -> Any:
    """Load the public names on first use: `import foveal.export` alone needs no torch."""
    if name in _FROM_SEALING:
        return getattr(import_module("foveal.export.sealing"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
