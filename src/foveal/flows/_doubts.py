"""Doubtful labels: what networks that have not learned from a picture make of its label."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.audit.folds import FEWEST_OF_CLASS, FEWEST_UNITS, FOLDS, Folds, folds
from foveal.audit.label_suspects import label_suspects, may_doubt
from foveal.core import machine
from foveal.core.errors import MissingExtraError, WriteError
from foveal.core.extras import need
from foveal.core.progress import Progress
from foveal.core.wording import counted, listed
from foveal.data.dataset import Dataset, UInt8
from foveal.data.preprocess import Preprocess
from foveal.data.sizing import suggest_channels, suggest_size
from foveal.data.store import StoreWriter

if TYPE_CHECKING:
    from foveal.audit.out_of_fold import Answers

FEWEST_IMAGES = 300  # readable ones, before anything is learned from them
_LARGEST_SIDE = 64  # of what is learned from: it has to be quick
_BY_EYE = "look through the labels by eye"
_TORN = (
    f"what belongs together (by group, bytes or looks) cannot be dealt into {FOLDS} parts so that of two "
    "classes enough is left to learn from"
)

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Skipped:
    """A part of the check that was not made, why, and what would make it possible."""

    check: str
    reason: str
    hint: str


@dataclass(frozen=True)
class Suspect:
    """A doubtful label.

    Attributes:
        row: The picture.
        label: Its class as given.
        suggested: The class that a network that has not learned from it takes it for.
        confidence: The probability of that class.
    """

    row: int
    label: int
    suggested: int
    confidence: float


@contextmanager
def room_to_learn(dataset: Dataset) -> Iterator[StoreWriter | Skipped]:
    """Yield a store for small copies of the pictures, in a temporary folder; or why there is none."""
    if dataset.scenes is not None:
        yield Skipped("label_suspects", "pictures have no class as a whole", _BY_EYE)
        return
    why = _too_little(dataset.labels)  # if all were readable; `doubts` asks again when that is known
    if why is not None:
        yield why
        return
    try:
        need("train", what="looking for wrong labels")
    except MissingExtraError as error:
        yield Skipped("label_suspects", error.message, error.hint or "")
        return
    channels = suggest_channels(dataset)
    unit = (0.5,) * channels
    size = min(suggest_size(dataset), _LARGEST_SIDE)
    preprocess = Preprocess(size=size, channels=channels, mean=unit, std=unit)
    folder = Path(tempfile.mkdtemp(prefix="foveal-check-"))
    try:
        try:
            store = StoreWriter(folder / "pixels.npy", count=len(dataset), preprocess=preprocess)
        except WriteError as error:
            yield Skipped("label_suspects", error.message, error.hint or "set TMPDIR to a larger disk")
            return
        with store:
            # Mapped pixels need no name, where the system lets one remove it: nothing stays if we are killed.
            shutil.rmtree(folder, ignore_errors=True)
            yield store
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Training:
    """How the networks that doubt are trained."""

    seed: int
    threads: int | None
    progress: Progress


@dataclass(frozen=True)
class Doubts:
    """What the networks found.

    Attributes:
        suspects: Doubtful labels, the most doubtful first.
        images: How many labels were looked at.
        accuracy: Share of them that the networks agree with.
        embedding: What one network sees in each readable picture, float32 (M, D); None where it is weak.
        skipped: What was not looked at.
    """

    suspects: tuple[Suspect, ...] = ()
    images: int = 0
    accuracy: float = 0.0
    embedding: NDArray[np.float32] | None = field(default=None, repr=False)
    skipped: tuple[Skipped, ...] = ()


def doubts(
    images: UInt8 | Skipped, dataset: Dataset, rows: Int64, units: Int64, *, training: Training
) -> Doubts:
    """Return the labels that networks doubt which have not learned from them, nor from what belongs to them.

    Args:
        images: All pictures at model size, uint8 (N, H, W, C); or why there are none.
        dataset: Labels and classes.
        rows: The readable pictures, int64 (M,).
        units: For each picture a number that it shares with those it belongs together with, int64 (N,).
        training: Seed, threads, and who is told.
    """
    given, classes = dataset.labels[rows], dataset.classes
    if (why := _too_little(given)) is not None:
        return Doubts(skipped=(why,))
    if isinstance(images, Skipped):
        return Doubts(skipped=(images,))
    dealt = folds(given, units[rows], classes=len(classes), seed=training.seed)
    left_out = tuple(_left_out(classes, dealt))
    if not dealt.enough or dealt.doubted.sum() < 2:
        return Doubts(skipped=(Skipped("label_suspects", _TORN, _BY_EYE), *left_out))
    from foveal.audit.out_of_fold import out_of_fold  # here: it needs torch
    from foveal.train.examples import Examples

    answers = out_of_fold(
        Examples(images, dataset.labels, rows),
        dealt.of_each,
        classes=len(classes),
        seed=training.seed,
        threads=training.threads or machine.usable_cpus(),
        progress=training.progress,
    )
    return _judged(answers, given, rows, dealt.doubted[given], left_out)


def _judged(
    answers: "Answers", given: Int64, rows: Int64, asked: NDArray[np.bool_], left_out: tuple[Skipped, ...]
) -> Doubts:
    """Return what the answers say of those labels that are asked about; all arguments have M rows."""
    probabilities, labels, numbers = answers.probabilities[asked], given[asked], rows[asked]
    right = float((probabilities.argmax(axis=1) == labels).mean())
    if not may_doubt(probabilities, labels):
        reason = (
            f"a quickly trained network is right on {right:.0%} of the pictures: too weak to doubt labels"
        )
        # What it sees is no measure of likeness either.
        return Doubts(accuracy=right, skipped=(Skipped("label_suspects", reason, _BY_EYE),))
    found = label_suspects(probabilities, labels)
    suspects = tuple(
        Suspect(int(numbers[i]), int(labels[i]), int(suggested), float(confidence))
        for i, suggested, confidence in zip(found.rows, found.suggested, found.confidence, strict=True)
    )
    return Doubts(suspects, len(labels), right, answers.embedding, left_out)


def _too_little(given: Int64) -> Skipped | None:
    if len(given) < FEWEST_IMAGES:
        there = counted(len(given), "readable picture")
        reason = f"too few to learn from: {there}; {FEWEST_IMAGES} are needed"
        return Skipped("label_suspects", reason, _BY_EYE)
    if len(np.unique(given)) < 2:
        reason = "the readable pictures are of only one class"
        return Skipped("label_suspects", reason, "give each class a folder of its own")
    return None


def _left_out(classes: tuple[str, ...], dealt: Folds) -> Iterator[Skipped]:
    kinds = (
        (dealt.few, f"with fewer than {FEWEST_OF_CLASS} pictures"),
        (dealt.unlearned, f"in fewer than {FEWEST_UNITS} units (by group, bytes or looks) to learn from"),
    )
    for those, what in kinds:
        names = [classes[k] for k in np.flatnonzero(those).tolist()]
        if names:
            reason = f"{counted(len(names), 'class')} {what}: {listed(names)}"
            yield Skipped("label_suspects", reason, _BY_EYE)
