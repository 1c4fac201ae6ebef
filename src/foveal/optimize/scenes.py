"""What counts of recognizers that say where something is: mean average precision, or mean IoU, of pictures.

Such a number is none of single pictures. So what is kept of a file's answers is the number itself and what it
becomes when the pictures are drawn again; of two files it is the same draws, and their difference is paired.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.manifest import Manifest
from foveal.bundle.predictor import Predictor
from foveal.bundle.session import UInt8
from foveal.bundle.ways import Way
from foveal.core.batches import at_once
from foveal.core.types import Measured
from foveal.data.dataset import Dataset
from foveal.evaluate.scene_measures import SceneMeasure
from foveal.metrics._resampled import Resampled
from foveal.metrics.independent_number import independent_number

_DRAWS = 1000

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class SceneJudge:
    """Pictures with what is where on them; a `judge.Judge`, whose answers are rows of `Resampled.table`.

    Attributes:
        kind: Counts on one picture after the other, and says what that is worth.
        dataset: The data, whose pictures state what is there.
        rows: Which of them count, int64 (N,).
        manifest: Of the original: its classes, and which answers a detector gives out.
        units: What each picture belongs to, int64 (N,); None: each stands alone.
        seed: Of the draws.
    """

    kind: type[SceneMeasure]
    dataset: Dataset = field(repr=False)
    rows: Rows = field(repr=False)
    manifest: Manifest = field(repr=False)
    units: Rows | None = field(default=None, repr=False)
    seed: int = 0

    @property
    def measure(self) -> str:
        """Such as `map50`."""
        return self.kind.name

    @property
    def labelled(self) -> bool:
        """What is there is stated."""
        return True

    @property
    def images(self) -> int:
        """How many, N."""
        return len(self.rows)

    @property
    def independent(self) -> float:
        """How many independent pictures say as much."""
        return independent_number(self.units, self.images)

    def answers(self, bundle: Path, way: Way, images: UInt8) -> Floats:
        """Return what a file is worth on the pictures, which are at its size, and what on resamples."""
        predictor = Predictor.open(bundle, engine=way.engine, precision=way.precision, threads=way.threads)
        measure = self.kind(predictor, self.dataset, self.manifest.classes)
        step, done = at_once(images.shape[1:]), []
        for start in range(0, self.images, step):
            shown = np.ascontiguousarray(images[start : start + step])
            done += measure.look(shown, self.rows[start : start + step].tolist())
        value = measure.alone(measure.together(done))
        return Resampled.of(self.images, value, units=self.units, draws=_DRAWS, seed=self.seed).table

    def accuracy(self, answers: Floats) -> Measured:
        """Return the number with its interval over pictures."""
        return self._read(answers).measured()

    def drop(self, before: Floats, after: Floats) -> Measured:
        """Return by how much less `after` is, drawn together with `before`."""
        return self._read(before).minus(self._read(after))

    def changed(self, answers: Floats, since: Floats | None = None) -> Measured:
        """Refuse: what is there is stated, so nobody asks what changed.

        Raises:
            ValueError: Always.
        """
        raise ValueError("answers are compared with what is stated")

    def _read(self, answers: Floats) -> Resampled:
        clustered = self.units is not None
        return Resampled.read(answers, images=self.images, draws=_DRAWS, clustered=clustered)
