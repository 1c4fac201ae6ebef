"""`foveal check`: recognize the layout, read every file, say what would spoil a result."""

import csv
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from foveal.core import files
from foveal.core.errors import ImageError
from foveal.core.progress import Progress, silent
from foveal.core.task import OBJECT_TASKS
from foveal.core.types import Finding
from foveal.data import inventory as inventories
from foveal.data import split as splits
from foveal.data.annotated import annotated
from foveal.data.check import by_severity
from foveal.data.check import check as structural
from foveal.data.clips import stills
from foveal.data.dataset import Dataset, UInt8
from foveal.data.inventory import Inventory
from foveal.data.ranges import fitted, ranged
from foveal.data.split import Split
from foveal.data.store import StoreWriter
from foveal.flows._audit import NOT_ASKED as NOT_ASKED
from foveal.flows._audit import Audit, Seen, audit, look, nothing_asked, parts
from foveal.flows._doubts import room_to_learn

SCHEMA = "foveal.check/1"


@dataclass(frozen=True)
class CheckResult:
    """What a data set is and what is the matter with it.

    Attributes:
        dataset: As it was opened.
        inventory: The full pass over its pictures.
        split: The roles training would use; None where there is nothing to train on.
        audit: What statistics say of it.
        findings: The worst first.
        ok: No error; what `strictly` returns has no warning either.
        objects: How many there are of each class; None where it is not objects that are stated.
    """

    dataset: Dataset = field(repr=False)
    inventory: Inventory = field(repr=False)
    split: Split | None = field(repr=False)
    audit: Audit = field(repr=False)
    findings: tuple[Finding, ...]
    ok: bool
    objects: Mapping[str, int] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the contract's document."""
        counts = Counter(name or "train" for name in self.dataset.splits)
        return {
            "schema": SCHEMA,
            "ok": self.ok,
            "task": self.dataset.task,
            "path": str(self.dataset.path),
            "format": self.dataset.format,
            "classes": list(self.dataset.classes),
            "splits": dict(counts),
            "images": len(self.dataset),
            **({} if self.objects is None else {"objects": dict(self.objects)}),
            "roles": {} if self.split is None else {r: len(self.split.role(r)) for r in splits.ROLES},
            "findings": [{**asdict(f), "examples": list(f.examples)} for f in self.findings],
            "fingerprint": self.inventory.fingerprint,
            **self.audit.as_json(self.dataset, parts(self.dataset, self.split)),
        }

    def strictly(self) -> "CheckResult":
        """Return the same with warnings counted as errors."""
        clean = not any(finding.severity == "warning" for finding in self.findings)
        return replace(self, ok=self.ok and clean)


def check(
    dataset: Dataset,
    *,
    fast: bool = False,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = silent,
) -> CheckResult:
    """Read every picture of a data set once and report what would spoil a result.

    Of clips the middle frames are looked at; files that are equal are equal clips.

    Args:
        dataset: As `data.open` returned it.
        fast: Leave out near duplicates, doubtful labels, outliers and class statistics.
        seed: What training would be started with: decides which pictures are carved from train.
        threads: At most so many decode at once.
        progress: Told a few times a second.
    """
    seen_as, dataset = dataset, stills(dataset)  # of a clip the middle frame is looked at
    dataset = ranged(dataset, fitted(dataset))
    if fast:
        inventory = inventories.take(dataset, threads=threads, progress=progress)
        split = _split(dataset, inventory, seed)
        audited = nothing_asked()
    else:
        with room_to_learn(dataset) as room:
            store = room if isinstance(room, StoreWriter) else None
            inventory, glances = look(dataset, store, threads=threads, progress=progress)
            split = _split(dataset, inventory, seed)
            images = room.images if isinstance(room, StoreWriter) else room
            seen = Seen(dataset, inventory, split, glances, images)
            audited = audit(seen, seed=seed, threads=threads, progress=progress)
    found = by_severity([*structural(dataset, inventory, split), *audited.findings])
    ok = not any(finding.severity == "error" for finding in found)
    return CheckResult(seen_as, inventory, split, audited, tuple(found), ok, _objects(dataset))


def _objects(dataset: Dataset) -> dict[str, int] | None:
    if dataset.scenes is None or dataset.task not in OBJECT_TASKS:
        return None
    counts = annotated(dataset).counts.sum(axis=0)
    return dict(zip(dataset.classes, counts.tolist(), strict=True))


def _split(dataset: Dataset, inventory: Inventory, seed: int) -> Split | None:
    return splits.make(dataset, inventory, seed=seed) if splits.can_train(dataset, inventory) else None


def write_suspects(result: CheckResult, path: Path) -> None:
    """Write the doubtful labels as a CSV table: source, label, suggested, confidence.

    Raises:
        WriteError: It cannot be written.
    """
    rows = result.as_json()["label_suspects"]
    text = io.StringIO()
    writer = csv.DictWriter(text, ["source", "label", "suggested", "confidence"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write_text(path, text.getvalue())


def write_page(result: CheckResult, path: Path) -> None:
    """Write the check as one HTML page with the pictures in question; it holds the user's pictures.

    Raises:
        MissingExtraError: The page needs the `train` extra.
        WriteError: It cannot be written.
    """
    from foveal.report.check_page import check_page as page

    dataset = stills(result.dataset)
    dataset = ranged(dataset, fitted(dataset))
    rows = {source: row for row, source in enumerate(dataset.sources)}
    files.write_text(path, page(result.as_json(), read=lambda source: _pixels(dataset, rows[source])))


def _pixels(dataset: Dataset, row: int) -> UInt8 | None:
    """Return a picture, uint8 (H, W, C); None where it can no longer be read."""
    try:
        picture = dataset.read(row)
        return picture.decode(picture.header().channels)
    except ImageError:
        return None
