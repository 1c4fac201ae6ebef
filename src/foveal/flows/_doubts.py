"""Doubtful labels: what networks that have not learned from a picture make of its label."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.audit.label_suspects import label_suspects
from foveal.core import machine
from foveal.core.errors import MissingExtraError, WriteError
from foveal.core.extras import need
from foveal.core.progress import Progress
from foveal.data.dataset import Dataset, UInt8
from foveal.data.preprocess import Preprocess
from foveal.data.sizing import suggest_channels, suggest_size
from foveal.data.store import StoreWriter

FEWEST_IMAGES = 300  # readable ones, before anything is learned from them
FEWEST_OF_CLASS = 10  # readable ones with this label, before the label is doubted
_LARGEST_SIDE = 64  # of what is learned from: it has to be quick
_BETTER = 0.3  # how far from guessing to perfect a network must have come before its doubts count
_BY_EYE = "look through the labels by eye"

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
    """Yield a store for small copies of the pictures, in a temporary folder; or why nothing is learned."""
    why = _why_not(dataset)
    if why is not None:
        yield why
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
            yield store
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _why_not(dataset: Dataset) -> Skipped | None:
    if len(dataset) < FEWEST_IMAGES:
        reason = f"{len(dataset)} pictures are too few to learn from; {FEWEST_IMAGES} are needed"
        return Skipped("label_suspects", reason, _BY_EYE)
    if len(np.unique(dataset.labels)) < 2:
        return Skipped("label_suspects", "there is only one class", "give each class a folder of its own")
    try:
        need("train", what="looking for wrong labels")
    except MissingExtraError as error:
        return Skipped("label_suspects", error.message, error.hint or "")
    return None


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
        accuracy: Share of all labels that the networks agree with.
        embedding: What one of them sees in each readable picture, float32 (M, D); None where they are weak.
        skipped: What was not looked at.
    """

    suspects: tuple[Suspect, ...] = ()
    accuracy: float = 0.0
    embedding: NDArray[np.float32] | None = None
    skipped: tuple[Skipped, ...] = ()


def doubts(images: UInt8, dataset: Dataset, rows: Int64, units: Int64, *, training: Training) -> Doubts:
    """Return the labels that networks doubt which have not learned from them.

    Args:
        images: All pictures at model size, uint8 (N, H, W, C).
        dataset: Labels and classes.
        rows: The readable pictures, int64 (M,).
        units: For each picture a number that it shares with those it belongs together with, int64 (N,).
        training: Seed, threads, and who is told.
    """
    from foveal.audit.out_of_fold import out_of_fold  # here: it needs torch
    from foveal.train.loop import Examples

    classes = dataset.classes
    answers = out_of_fold(
        Examples(images, dataset.labels, rows, units),
        classes=len(classes),
        seed=training.seed,
        threads=training.threads or machine.usable_cpus(),
        progress=training.progress,
    )
    given = dataset.labels[rows]
    right = float((answers.probabilities.argmax(axis=1) == given).mean())
    counts = np.bincount(given, minlength=len(classes))
    guessing = float(counts.max()) / len(rows)
    if right < guessing + _BETTER * (1 - guessing):
        reason = (
            f"a quickly trained network is right on {right:.0%} of the pictures: too weak to doubt labels"
        )
        skipped = (Skipped("label_suspects", reason, _BY_EYE),)
        # What it sees is no measure of likeness either.
        return Doubts(accuracy=right, skipped=skipped)
    found = label_suspects(answers.probabilities, given)
    suspects = tuple(
        Suspect(int(rows[i]), int(given[i]), int(suggested), float(confidence))
        for i, suggested, confidence in zip(found.rows, found.suggested, found.confidence, strict=True)
        if counts[given[i]] >= FEWEST_OF_CLASS
    )
    return Doubts(suspects, right, answers.embedding, tuple(_too_small(classes, counts)))


def _too_small(classes: Sequence[str], counts: Int64) -> Iterator[Skipped]:
    small = [classes[k] for k in np.flatnonzero((counts > 0) & (counts < FEWEST_OF_CLASS)).tolist()]
    if small:
        those = "1 class has" if len(small) == 1 else f"{len(small)} classes have"
        reason = f"{those} fewer than {FEWEST_OF_CLASS} pictures, such as {small[0]!r}"
        yield Skipped("label_suspects", reason, _BY_EYE)
