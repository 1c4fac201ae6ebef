"""What a head answers for pictures that it was not taught, where every picture is needed for teaching.

Each unit of pictures is left out once, with all its views, everything is fitted to the others, and the unit
is asked. Up to 20 units that is leaving one out; of more, a twentieth is left out at a time, of every class
as evenly as its number allows. The head that ships was taught all of them, so it is a little better than
what is measured here. Source: Stone, "Cross-Validatory Choice and Assessment of Statistical Predictions",
1974.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveal.fewshot.heads._head import Float64, Head, Labels, lengthless, prototypes
from foveal.fewshot.space import Space, space
from foveal.fewshot.taught import Int64, Taught

FOLDS = 20
Fit = Callable[[Float64, Labels, int], Head]


@dataclass(frozen=True)
class Fitted:
    """A space, class means of length 1 in it, and a head.

    Attributes:
        space: Of the coordinates.
        bank: float64 (D, K).
        head: What decides.
    """

    space: Space
    bank: Float64 = field(repr=False)
    head: Head

    def answers(self, rows: Float64) -> tuple[Float64, Float64]:
        """Return logits (n, K), and how unknown pictures are (n,), of features of length 1 (n, D)."""
        coordinates = self.space.coordinates(rows)
        return self.head.logits(coordinates), 1 - (lengthless(coordinates) @ self.bank).max(axis=1)


@dataclass(frozen=True)
class HeldOut:
    """What heads answered for pictures that they were not taught.

    Attributes:
        rows: Which pictures, one of each unit, int64 (n,).
        folds: In which turn each was left out, int64 (n,).
        labels: int64 (n,).
        logits: float32 (n, K), by the head's name.
        unknown: float32 (n,).
    """

    rows: Int64 = field(repr=False)
    folds: Int64 = field(repr=False)
    labels: Int64 = field(repr=False)
    logits: dict[str, NDArray[np.float32]] = field(repr=False)
    unknown: NDArray[np.float32] = field(repr=False)


def fitted(
    rows: Float64, labels: Labels, classes: int, *, fits: Mapping[str, Fit], dimensions: int
) -> dict[str, Fitted]:
    """Return what heads are, by name, when they are fitted to features of length 1.

    Args:
        rows: Features, float64 (n, D), or what is left of them in fewer directions; see `space`.
        labels: int64 (n,) in [0, classes), every class present.
        classes: K.
        fits: Heads by name.
        dimensions: That the features have.
    """
    found = space(rows, labels, classes, dimensions=dimensions)
    coordinates = found.coordinates(rows)
    bank = lengthless(prototypes(coordinates, labels, classes)).T
    return {name: Fitted(found, bank, fit(coordinates, labels, classes)) for name, fit in fits.items()}


def held_out(taught: Taught, fits: Mapping[str, Fit]) -> HeldOut:
    """Return what heads answer for each unit when they are fitted to the others.

    A picture whose class would have none left is not asked.

    Args:
        taught: The pictures.
        fits: Heads by name, at least one.
    """
    classes, dimensions = len(taught.classes), taught.features.shape[2]
    features = _fewer_directions(taught.features.astype(np.float64))
    turns = _turns(taught)
    rows_of, unknown = [np.empty(0, np.int64)], [np.empty(0)]
    logits = {name: [np.empty((0, classes))] for name in fits}
    for rest, rows in _parts(taught, turns):
        made = fitted(*_shown(features, taught, rest), classes, fits=fits, dimensions=dimensions)
        for name, one in made.items():
            answers, strangeness = one.answers(features[rows, 0])
            logits[name].append(answers)
        unknown.append(strangeness)
        rows_of.append(rows)
    rows = np.concatenate(rows_of)
    return HeldOut(
        rows,
        turns[rows],
        taught.labels[rows],
        {name: np.concatenate(found).astype(np.float32) for name, found in logits.items()},
        np.concatenate(unknown).astype(np.float32),
    )


def whole(taught: Taught, fits: Mapping[str, Fit]) -> dict[str, Fitted]:
    """Return what heads are, by name, when they are fitted to every picture."""
    everything = np.ones(len(taught), bool)
    rows, labels = _shown(taught.features.astype(np.float64), taught, everything)
    return fitted(rows, labels, len(taught.classes), fits=fits, dimensions=rows.shape[1])


def _shown(features: Float64, taught: Taught, which: NDArray[np.bool_]) -> tuple[Float64, Labels]:
    """Return all views of some pictures, (n, D), and their labels, (n,)."""
    labels = np.repeat(taught.labels[which], features.shape[1])
    return features[which].reshape(-1, features.shape[2]), labels


def _parts(taught: Taught, turns: Int64) -> Iterator[tuple[NDArray[np.bool_], Int64]]:
    """Yield, for each turn, which pictures are fitted to, bool (N,), and which are asked, int64."""
    one_each = np.zeros(len(taught), bool)
    one_each[np.unique(taught.units, return_index=True)[1]] = True
    for turn in range(turns.max() + 1):
        rest = turns != turn
        left = np.bincount(taught.labels[rest], minlength=len(taught.classes)) > 0
        rows = np.flatnonzero(~rest & one_each & left[taught.labels])
        if len(rows):
            yield rest | ~left[taught.labels], rows


def _turns(taught: Taught) -> Int64:
    """Return in which turn each picture is left out, int64 (N,): those of a unit in the same one.

    Units of one class are left out in turns of their own, as far as there are enough. What a class is called
    changes no turn.
    """
    marks = [
        hashlib.sha256(taught.features[taught.labels == label].tobytes()).digest()
        for label in range(len(taught.classes))
    ]
    rank = np.argsort(np.argsort(np.array(marks, dtype="S32"), kind="stable"))
    firsts, first, of_unit = np.unique(taught.units, return_index=True, return_inverse=True)
    turns = np.empty(len(firsts), np.int64)
    turns[np.argsort(rank[taught.labels[first]], kind="stable")] = np.arange(len(firsts)) % FOLDS
    found: Int64 = turns[of_unit]
    return found


def _fewer_directions(features: Float64) -> Float64:
    """Return features in an orthogonal basis of all that they span, (N, V, D) to (N, V, ≤ D)."""
    rows = features.reshape(-1, features.shape[2])
    if len(rows) >= rows.shape[1]:
        return features
    basis, _ = np.linalg.qr(rows.T)
    fewer: Float64 = (rows @ basis).reshape(*features.shape[:2], -1)
    return fewer
