"""Whether adapting helped: what two files answer for the same pictures, and what they answer at all."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.predictor import Predictor
from foveal.bundle.ways import REFERENCE
from foveal.core.progress import Progress
from foveal.core.types import Gate
from foveal.data.sizing import evenly_spaced
from foveal.evaluate.answers import answers
from foveal.evaluate.held_out import HeldOut
from foveal.evaluate.paired import independent, paired
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples

COLLAPSED = 0.95  # share of the answers that are one class
_MOST_ASKED = 5000  # of the new pictures
_VERDICTS = {"a_better": "better", "b_better": "worse", "no_difference_shown": "no_difference_shown"}


@dataclass(frozen=True)
class Answered:
    """What two networks answer for the same pictures without labels.

    Attributes:
        rows: Which pictures, int64 (N,).
        before, after: The class that is answered for each, int64 (N,).
        classes: K names.
    """

    rows: NDArray[np.int64] = field(repr=False)
    before: NDArray[np.int64] = field(repr=False)
    after: NDArray[np.int64] = field(repr=False)
    classes: tuple[str, ...]

    @classmethod
    def of(cls, source: Recognizer, adapted: Recognizer, pictures: Examples) -> "Answered":
        """Ask both about some of the pictures, evenly spaced."""
        rows = pictures.indices[evenly_spaced(len(pictures), at_most=_MOST_ASKED)]
        images = np.asarray(pictures.images[rows])
        before, after = (one.logits(images).argmax(axis=1) for one in (source, adapted))
        return cls(rows, before, after, source.classes)

    def shares(self, found: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the share of each class among answers, float64 (K,)."""
        return np.bincount(found, minlength=len(self.classes)) / len(found)

    def gate(self) -> Gate:
        """Return whether the answers stayed many: it fails where nearly all became one class."""
        before, after = (float(self.shares(found).max()) for found in (self.before, self.after))
        collapsed = after > COLLAPSED >= before
        return Gate("collapse", "answers are not all one", "fail" if collapsed else "pass", after, COLLAPSED)

    def as_json(self) -> dict[str, Any]:
        """Return the `answers` object of `foveal.adapt/1`."""
        before, after = self.shares(self.before), self.shares(self.after)
        changed = clopper_pearson(int((self.before != self.after).sum()), len(self.rows))
        return {
            "images": len(self.rows),
            "changed": changed.as_json(),
            "shares": {
                name: {"before": float(before[k]), "after": float(after[k])}
                for k, name in enumerate(self.classes)
            },
        }


def compared(
    source: Path, adapted: Path, held_out: HeldOut, *, seed: int, threads: int, progress: Progress
) -> dict[str, Any]:
    """Return accuracy before and after with their difference, on the same pictures.

    Args:
        source: The file before.
        adapted: The file after; it takes the same pictures.
        held_out: That neither learned from. Of those that belong together one counts.
        seed: Of the draw among these.
        threads: Batches at once.
        progress: Told about the pictures.
    """
    found = []
    for path in (adapted, source):
        predictor = Predictor.open(path, engine=REFERENCE, threads=1)  # batches run side by side
        found.append(answers(predictor, held_out, threads=threads, progress=progress))
    places = found[0].positions
    labels = held_out.labels[places]
    units = None if held_out.units is None else held_out.units[places]
    counted = independent(units, len(places), seed=seed)
    right = [(one.probabilities.argmax(axis=1) == labels)[counted] for one in found]
    after, before = (clopper_pearson(int(one.sum()), len(one)).as_json() for one in right)
    (pair,) = paired(right)
    return {
        "before": before,
        "after": after,
        "difference": asdict(pair.difference),
        "only_before": pair.only_b,
        "only_after": pair.only_a,
        "p_value": pair.p_value,
        "verdict": _VERDICTS[pair.verdict],
    }


def changed_rows(answered: Answered, *, most: int) -> Sequence[int]:
    """Return places of pictures that are answered otherwise than before, evenly spaced."""
    places = np.flatnonzero(answered.before != answered.after)
    return [int(places[place]) for place in evenly_spaced(len(places), at_most=most)]
