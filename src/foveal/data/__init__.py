"""Pictures with labels: reading, checking, splitting and storing them at model size."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foveal.data.dataset import Dataset as Dataset
    from foveal.data.opening import open as open  # noqa: A004

__all__ = ["Dataset", "open"]


def __getattr__(name: str) -> Any:
    """Load the public names on first use: `import foveal.data` alone costs nothing."""
    if name == "open":
        from foveal.data.opening import open as opened

        return opened
    if name == "Dataset":
        from foveal.data.dataset import Dataset

        return Dataset
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
