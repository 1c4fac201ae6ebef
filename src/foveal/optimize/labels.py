"""What counts of recognizers that give pictures a class: how often it is the right one."""

from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.predictor import Predictor
from foveal.bundle.session import UInt8
from foveal.bundle.ways import Way
from foveal.core.batches import batches
from foveal.core.types import Measured
from foveal.metrics.clustered_difference import clustered_difference
from foveal.metrics.clustered_share import clustered_share
from foveal.metrics.independent_number import independent_number


def answers(bundle: Path, way: Way, images: UInt8) -> NDArray[np.int64]:
    """Return the class that a file names for each picture when it is run in a way, int64 (N,)."""
    predictor = Predictor.open(bundle, engine=way.engine, precision=way.precision, threads=way.threads)
    parts = (predictor.run(batch) for batch in batches(images))
    return np.fromiter(
        chain.from_iterable(part.probabilities.argmax(axis=1) for part in parts), np.int64, len(images)
    )


@dataclass(frozen=True)
class Pictures:
    """What variants are compared on; see `judge.Judge`.

    Attributes:
        truth: The class of each, int64 (N,): its label or, without labels, what the original names.
        labelled: Whether it is the label.
        independent: How many independent pictures say as much: what intervals count, see
            `metrics.independent_number`.
    """

    truth: NDArray[np.int64] = field(repr=False)
    labelled: bool
    independent: float

    @classmethod
    def of(
        cls, truth: NDArray[np.int64], *, labelled: bool, units: NDArray[np.int64] | None = None
    ) -> "Pictures":
        """Return pictures: every one counts in estimates, those that belong together once in intervals.

        Args:
            truth: int64 (N,).
            labelled: Whether these are labels.
            units: A number for each, equal for those that belong together, (N,); None: each stands alone.
        """
        return cls(truth, labelled, independent_number(units, len(truth)))

    @property
    def measure(self) -> str:
        """The share that is named as the label says, or as the original does."""
        return "accuracy" if self.labelled else "agreement"

    @property
    def images(self) -> int:
        """How many, N."""
        return len(self.truth)

    def answers(self, bundle: Path, way: Way, images: UInt8) -> NDArray[np.int64]:
        """Return the class that a file names for each picture when it is run in a way, int64 (N,)."""
        return answers(bundle, way, images)

    def right(self, answers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for each picture whether it is named as it should be, bool (N,)."""
        found: NDArray[np.bool_] = answers == self.truth
        return found

    def accuracy(self, answers: NDArray[np.int64]) -> Measured:
        """Return the share that is named correctly; without labels the share named as the original does."""
        return clustered_share(self.right(answers), self.independent)

    def changed(self, answers: NDArray[np.int64], since: NDArray[np.int64] | None = None) -> Measured:
        """Return the share that is named otherwise than before.

        The interval is the exact one of a share: nothing can be named more like the original than by itself,
        so there are no changes in the other direction that a paired interval would allow for.

        Args:
            answers: int64 (N,).
            since: What was named before, int64 (N,); None: the truth.
        """
        return clustered_share(answers != (self.truth if since is None else since), self.independent)

    def drop(self, before: NDArray[np.int64], after: NDArray[np.int64]) -> Measured:
        """Return by how much less often `after` is right than `before`, on the same pictures (Tango 1998)."""
        return clustered_difference(self.right(before), self.right(after), self.independent)
