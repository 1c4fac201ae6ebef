"""Write pictures with what was found drawn on them, as `foveal predict --draw` does."""

from collections.abc import Callable, Sequence
from pathlib import Path

from foveal.core.types import Sighting


def drawing(folder: Path, classes: Sequence[str]) -> Callable[[Sighting], None]:
    """Return what writes a picture with what was found on it into a folder."""
    raise NotImplementedError
