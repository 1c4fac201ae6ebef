"""What a search has to know of pictures: how files answer for them, and what these answers are worth."""

from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from foveal.bundle.session import UInt8
from foveal.bundle.ways import Way
from foveal.core.types import Measured


class Judge(Protocol):
    """Pictures of one task; `labels.Pictures` and `scenes.SceneJudge` are such.

    Answers are arrays that only their judge reads; they are kept with a variant, and compared later.
    """

    @property
    def measure(self) -> str:
        """What is to be high: `accuracy`, `agreement` with the original, `map50` or `miou`."""
        ...

    @property
    def labelled(self) -> bool:
        """Whether answers are compared with what is stated, and not with those of the original."""
        ...

    @property
    def images(self) -> int:
        """How many pictures, N."""
        ...

    @property
    def independent(self) -> float:
        """How many independent pictures say as much; see `metrics.independent_number`."""
        ...

    def answers(self, bundle: Path, way: Way, images: UInt8) -> NDArray[Any]:
        """Return what a file answers for the N pictures, which are at its size, when it is run in a way."""
        ...

    def accuracy(self, answers: NDArray[Any]) -> Measured:
        """Return what answers are worth."""
        ...

    def drop(self, before: NDArray[Any], after: NDArray[Any]) -> Measured:
        """Return by how much less `after` is worth than `before`, paired picture by picture."""
        ...

    def changed(self, answers: NDArray[Any], since: NDArray[Any] | None = None) -> Measured:
        """Return the share of answers that are others than before; asked where nothing is labelled.

        Args:
            answers: Now.
            since: Before; None: those of the original.
        """
        ...
