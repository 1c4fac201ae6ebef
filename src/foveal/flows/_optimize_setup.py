"""What a search for a smaller recognizer stands on: the file to be replaced, and pictures with roles."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import DataError
from foveal.core.progress import Progress
from foveal.core.wording import counted
from foveal.flows._prepare import Prepared
from foveal.optimize.lessons import Learning
from foveal.optimize.variant import Variant
from foveal.optimize.workshop import Roles, Workshop
from foveal.tasks.recognizer import Recognizer
from foveal.train.sampling import deal

_FEWEST_UNITS = 4  # of calib

Rows = NDArray[np.int64]
Prove = Callable[[Workshop, Variant, Variant], dict[str, Any]]


@dataclass(frozen=True)
class Setup:
    """Pictures with their roles, and what may be done with them.

    Attributes:
        roles: Which pictures the search may use for what.
        prove: Measures a variant beside the original on pictures that nothing was chosen by, once: `images`,
            `role`, `accuracy`, `original_accuracy`, `drop`, `agreement`, and `report` to be attached or None.
        learning: How networks are taught; None: nothing is trained.
        warnings: What is to be said of the pictures.
        network: What may be exported at other sizes as it is; None: nothing may.
    """

    roles: Roles
    prove: Prove = field(repr=False)
    learning: Learning | None = None
    warnings: tuple[str, ...] = ()
    network: Recognizer | None = None


class Material(Protocol):
    """What a user names: a run with its data, or a bundle with pictures."""

    @property
    def original(self) -> Path:
        """The bundle to be replaced."""
        ...

    @property
    def name(self) -> str:
        """What the folder of the search is called after."""
        ...

    @property
    def only_read(self) -> list[Path]:
        """Files and folders of the user, where nothing is written."""
        ...

    @property
    def trains(self) -> bool:
        """Whether networks could be taught."""
        ...

    @property
    def asked(self) -> dict[str, Any]:
        """What belongs to the request besides the bundle and the terms."""
        ...

    def setup(self, out: Path, *, train: bool, seed: int, progress: Progress) -> Setup:
        """Return the pictures with their roles.

        Args:
            out: Folder of the search.
            train: Whether networks may be trained.
            seed: Of every random choice.
            progress: Told about the pictures.

        Raises:
            DataError: They are not those of the run, or too few.
        """
        ...


def halves(prepared: Prepared, *, seed: int) -> tuple[Rows, Rows]:
    """Return which of the calib pictures choose, and which calibrate what was chosen.

    Raises:
        DataError: `too_few_calib`.
    """
    calib = prepared.examples("calib")
    units = prepared.split.units[calib.indices]
    if len(np.unique(units)) < _FEWEST_UNITS:
        raise DataError(
            f"calib has {counted(len(np.unique(units)), 'picture')} that stand alone: too few to choose by "
            "one half and to calibrate on the other",
            code="too_few_calib",
            hint="train with more pictures in val, or with fewer that belong together",
            path=prepared.dataset.path,
        )
    half = deal(calib.labels[calib.indices], units, folds=2, seed=seed)
    return calib.indices[half == 0], calib.indices[half == 1]
