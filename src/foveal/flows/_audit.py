"""The statistical part of a check: near duplicates, doubtful labels, outliers, class statistics."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.audit import findings
from foveal.audit import near_duplicates as duplicates
from foveal.audit.class_statistics import class_statistics, shortcuts
from foveal.audit.glance import SIDE, Glances
from foveal.audit.near_duplicates import Cluster
from foveal.audit.outliers import Outlier, outliers
from foveal.core.progress import Progress
from foveal.core.types import Finding
from foveal.data import inventory as inventories
from foveal.data import split as splits
from foveal.data.dataset import Dataset, UInt8
from foveal.data.inventory import Inventory
from foveal.data.split import Split, unit_of_each
from foveal.data.store import StoreWriter
from foveal.flows._doubts import Skipped, Suspect, Training, doubts

NOT_ASKED = "--fast was given"
_NO_CLASS = "pictures with objects or class maps have no class as a whole"
_OF_SCENES = "look at the objects with foveal data show --out"
Int64 = NDArray[np.int64]


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
                    "labels": [
                        "" if dataset.scenes else dataset.classes[dataset.labels[i]] for i in cluster.members
                    ],
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
    if seen.dataset.scenes is not None:
        return _of_scenes(seen, rows, clusters, skipped)
    units = _units(seen, rows, clusters)
    doubted = doubts(seen.images, seen.dataset, rows, units, training=Training(seed, threads, progress))
    features = _coarse(seen, rows) if doubted.embedding is None else doubted.embedding
    unusual = outliers(seen.glances, features, rows)
    told = shortcuts(seen.dataset, seen.inventory, seen.glances, units)
    return Audit(
        tuple(class_statistics(seen.dataset, seen.inventory, seen.glances)),
        tuple(clusters),
        doubted.suspects,
        tuple(unusual),
        (*skipped, *doubted.skipped),
        (
            *findings.near_duplicates(seen.dataset, clusters, parts(seen.dataset, seen.split)),
            *findings.label_suspects(
                seen.dataset,
                [one.row for one in doubted.suspects],
                images=doubted.images,
                accuracy=doubted.accuracy,
            ),
            *findings.outliers(seen.dataset, unusual),
            *findings.shortcuts(seen.dataset, told),
        ),
    )


def _of_scenes(seen: Seen, rows: Int64, clusters: Sequence[Cluster], skipped: Sequence[Skipped]) -> Audit:
    """Return what can be said of pictures that have no class as a whole."""
    unusual = outliers(seen.glances, _coarse(seen, rows), rows)
    return Audit(
        clusters=tuple(clusters),
        outliers=tuple(unusual),
        skipped=(
            *skipped,
            *(Skipped(name, _NO_CLASS, _OF_SCENES) for name in ("statistics", "label_suspects")),
        ),
        findings=(
            *findings.near_duplicates(seen.dataset, clusters, parts(seen.dataset, seen.split)),
            *findings.outliers(seen.dataset, unusual),
        ),
    )


def _coarse(seen: Seen, rows: Int64) -> NDArray[np.float32]:
    """Return small grey copies of pictures to compare them by, float32 (M, D)."""
    coarse = seen.glances.thumbnails[rows][:, 2::4, 2::4]
    return coarse.reshape(len(rows), (SIDE // 4) ** 2).astype(np.float32)


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


def _units(seen: Seen, rows: Int64, clusters: Sequence[Cluster]) -> Int64:
    """Return what belongs together by group, bytes or looks: none may be asked about what it taught."""
    units = unit_of_each(seen.dataset, {int(i): seen.inventory.sha256[i] for i in rows})
    for cluster in clusters:
        linked = units[list(cluster.members)]
        units[np.isin(units, linked)] = linked.min()
    return units
