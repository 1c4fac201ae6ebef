"""From a trained network to the file that ships, and the proof that both decide alike."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foveal.export.sealing import Exported as Exported
    from foveal.export.sealing import bundle as bundle

__all__ = ["Exported", "bundle"]


def __getattr__(name: str) -> Any:
    """Load the public names on first use: `import foveal.export` alone needs no torch."""
    if name == "bundle":
        from foveal.export.sealing import bundle

        return bundle
    if name == "Exported":
        from foveal.export.sealing import Exported

        return Exported
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
