"""The statistical part of a check: near duplicates, doubtful labels, outliers, class statistics."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.audit import findings
from foveal.audit import near_duplicates as duplicates
from foveal.audit.class_statistics import class_statistics, shortcuts
from foveal.audit.glance import Glances
from foveal.audit.near_duplicates import Cluster
from foveal.audit.outliers import Outlier, outliers
from foveal.core import machine
from foveal.core.errors import MissingExtraError, WriteError
from foveal.core.extras import need
from foveal.core.progress import Progress
from foveal.core.types import Finding
from foveal.data import inventory as inventories
from foveal.data import split as splits
from foveal.data.dataset import Dataset, UInt8
from foveal.data.inventory import Inventory
from foveal.data.preprocess import Preprocess
from foveal.data.sizing import suggest_channels, suggest_size
from foveal.data.split import Split, unit_of_each
from foveal.data.store import StoreWriter

FEWEST_IMAGES = 300  # readable ones, before anything is learned from them
FEWEST_OF_CLASS = 10  # readable ones with this label, before the label is doubted
_LARGEST_SIDE = 64  # of what is learned from: it has to be quick
_BETTER = 0.3  # how far from guessing to perfect a network must have come before its doubts count

NOT_ASKED = "--fast was given"
_BY_EYE = "look through the labels by eye"
Int64 = NDArray[np.int64]


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


@dataclass(frozen=True)
class Skipped:
    """A part of the check that was not made, why, and what would make it possible."""

    check: str
    reason: str
    hint: str


@dataclass(frozen=True)
class Audit:
    """What statistics say of a data set.

    Attributes:
        statistics: One entry per class; empty where it was not asked for.
        clusters: Near duplicates, rows of the data set, the most alike first.
        suspects: Doubtful labels, the most doubtful first.
        outliers: Unusual pictures by reason.
        skipped: What was not looked at.
        findings: What that means, for people.
    """

    statistics: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    clusters: tuple[Cluster, ...] = field(default=(), repr=False)
    suspects: tuple[Suspect, ...] = field(default=(), repr=False)
    outliers: tuple[Outlier, ...] = field(default=(), repr=False)
    skipped: tuple[Skipped, ...] = ()
    findings: tuple[Finding, ...] = ()

    def as_json(self, dataset: Dataset, parts: Sequence[str]) -> dict[str, Any]:
        """Return the audit's keys of the check's document.

        Args:
            dataset: Gives the names.
            parts: The split or role of each picture.
        """
        return {
            "statistics": list(self.statistics),
            "near_duplicates": [
                {
                    "sources": [dataset.sources[i] for i in cluster.members],
                    "labels": [dataset.classes[dataset.labels[i]] for i in cluster.members],
                    "splits": [parts[i] for i in cluster.members],
                    "similarity": round(cluster.similarity, 4),
                }
                for cluster in self.clusters
            ],
            "label_suspects": [
                {
                    "source": dataset.sources[one.row],
                    "label": dataset.classes[one.label],
                    "suggested": dataset.classes[one.suggested],
                    "confidence": round(one.confidence, 4),
                }
                for one in self.suspects
            ],
            "outliers": [
                {"source": dataset.sources[one.row], "reason": one.reason, "score": round(one.score, 4)}
                for one in self.outliers
            ],
            "skipped": [asdict(one) for one in self.skipped],
        }


@dataclass(frozen=True)
class Seen:
    """What the pass over the pictures left.

    Attributes:
        dataset, inventory, split: As the structural checks get them.
        glances: One look at each picture.
        images: Pictures small enough to learn from quickly, uint8 (N, H, W, C); or why there are none.
    """

    dataset: Dataset
    inventory: Inventory
    split: Split | None
    glances: Glances
    images: UInt8 | Skipped = field(repr=False)

    @property
    def parts(self) -> tuple[str, ...]:
        """For each picture the split it lies in, or the role that training would give it."""
        return parts(self.dataset, self.split)


def parts(dataset: Dataset, split: Split | None) -> tuple[str, ...]:
    """Return for each picture the split it lies in; where the layout has none, its role in training."""
    names = [name or "train" for name in dataset.splits]
    if split is not None and not dataset.split_names:
        for role in splits.ROLES:
            for i in split.role(role):
                names[i] = role
    return tuple(names)


def nothing_asked() -> Audit:
    """Return the audit of a check that is only structural."""
    names = ("statistics", "near_duplicates", "label_suspects", "outliers")
    return Audit(skipped=tuple(Skipped(name, NOT_ASKED, "run the check without --fast") for name in names))


def look(
    dataset: Dataset, store: StoreWriter | None, *, threads: int | None, progress: Progress
) -> tuple[Inventory, Glances]:
    """Read every picture once; fill the store if there is one, and take a glance at each."""
    glances = Glances.of(len(dataset))
    taken = inventories.take(dataset, store=store, look=glances.look, threads=threads, progress=progress)
    return taken, glances


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


def audit(seen: Seen, *, seed: int, threads: int | None, progress: Progress) -> Audit:
    """Return what statistics say of the pictures.

    Args:
        seen: What the pass over them left.
        seed: Of folds and weights where something is learned.
        threads: Of the training.
        progress: Told about every stage.
    """
    rows = np.flatnonzero(seen.inventory.readable)
    clusters, skipped = _clusters(seen, rows, progress)
    suspects, features, more = _suspects(seen, rows, clusters, _Training(seed, threads, progress))
    skipped += more
    if features is None:
        features = seen.glances.thumbnails[rows][:, 2::4, 2::4].reshape(len(rows), -1).astype(np.float32)
    unusual = outliers(seen.glances, features, rows)
    told = shortcuts(seen.dataset, seen.inventory, seen.glances)
    return Audit(
        tuple(class_statistics(seen.dataset, seen.inventory, seen.glances)),
        tuple(clusters),
        tuple(suspects),
        tuple(unusual),
        tuple(skipped),
        (
            *findings.near_duplicates(seen.dataset, clusters, seen.parts),
            *findings.label_suspects(seen.dataset, [one.row for one in suspects], len(rows)),
            *findings.outliers(seen.dataset, unusual),
            *findings.shortcuts(seen.dataset, told),
        ),
    )


def _clusters(seen: Seen, rows: Int64, progress: Progress) -> tuple[list[Cluster], list[Skipped]]:
    """Return near duplicates that are no identical files and not known to belong together."""
    by_content: dict[str, list[int]] = {}
    for i in rows.tolist():
        by_content.setdefault(seen.inventory.sha256[i], []).append(i)
    firsts = np.array([copies[0] for copies in by_content.values()], dtype=np.int64)
    if len(firsts) > duplicates.MOST_IMAGES:
        reason = f"{len(firsts)} pictures are more than the {duplicates.MOST_IMAGES} that are compared"
        return [], [Skipped("near_duplicates", reason, "check a part of them at a time")]
    pairs = duplicates.near_duplicates(seen.glances.thumbnails[firsts], progress=progress)
    together = unit_of_each(seen.dataset, {int(i): seen.inventory.sha256[i] for i in rows})
    pairs = duplicates.without(pairs, together[firsts])
    copies_of = list(by_content.values())
    return [
        Cluster(tuple(sorted(i for place in one.members for i in copies_of[place])), one.similarity)
        for one in duplicates.clusters(pairs)
    ], []


@dataclass(frozen=True)
class _Training:
    seed: int
    threads: int | None
    progress: Progress


def _suspects(
    seen: Seen, rows: Int64, clusters: Sequence[Cluster], training: _Training
) -> tuple[list[Suspect], NDArray[np.float32] | None, list[Skipped]]:
    """Return doubtful labels, an embedding of the pictures, and what was skipped."""
    if isinstance(seen.images, Skipped):
        return [], None, [seen.images]
    from foveal.audit.label_suspects import label_suspects  # here and below: they need torch
    from foveal.audit.out_of_fold import out_of_fold
    from foveal.train.loop import Examples

    labels, present = seen.dataset.labels, np.unique(seen.dataset.labels[rows])
    units = unit_of_each(seen.dataset, {int(i): seen.inventory.sha256[i] for i in rows})
    for cluster in clusters:  # what looks the same must not be learned from and asked about
        units[np.isin(units, units[list(cluster.members)])] = units[list(cluster.members)].min()
    answers = out_of_fold(
        Examples(seen.images, labels, rows, units),
        classes=len(seen.dataset.classes),
        seed=training.seed,
        threads=training.threads or machine.usable_cpus(),
        progress=training.progress,
    )
    given = labels[rows]
    right = float((answers.probabilities.argmax(axis=1) == given).mean())
    counts = np.bincount(given, minlength=len(seen.dataset.classes))
    guessing = float(counts.max()) / len(rows)
    if right < guessing + _BETTER * (1 - guessing):
        reason = (
            f"a quickly trained network is right on {right:.0%} of the pictures: too weak to doubt labels"
        )
        return [], answers.embedding, [Skipped("label_suspects", reason, _BY_EYE)]
    found = label_suspects(answers.probabilities, given)
    suspects = [
        Suspect(int(rows[i]), int(given[i]), int(suggested), float(confidence))
        for i, suggested, confidence in zip(found.rows, found.suggested, found.confidence, strict=True)
        if counts[given[i]] >= FEWEST_OF_CLASS
    ]
    small = [seen.dataset.classes[k] for k in present if counts[k] < FEWEST_OF_CLASS]
    skipped = []
    if small:
        reason = f"{len(small)} classes have fewer than {FEWEST_OF_CLASS} pictures, such as {small[0]!r}"
        skipped = [Skipped("label_suspects", reason, _BY_EYE)]
    return suspects, answers.embedding, skipped
