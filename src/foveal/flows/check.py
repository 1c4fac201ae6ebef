"""`foveal check`: recognize the layout, read every file, say what would spoil a result."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from foveal.core.progress import Progress, silent
from foveal.core.types import Finding
from foveal.data import inventory as inventories
from foveal.data import split as splits
from foveal.data.check import check as findings_in
from foveal.data.dataset import Dataset
from foveal.data.inventory import Inventory
from foveal.data.split import Split

SCHEMA = "foveal.check/1"


@dataclass(frozen=True)
class CheckResult:
    """What a data set is and what is the matter with it.

    Attributes:
        dataset: As it was opened.
        inventory: The full pass over its pictures.
        split: The roles training would use; None where there is nothing to train on.
        findings: The worst first.
        ok: No error; under `strict` no warning either.
    """

    dataset: Dataset = field(repr=False)
    inventory: Inventory = field(repr=False)
    split: Split | None = field(repr=False)
    findings: tuple[Finding, ...]
    ok: bool

    def as_json(self) -> dict[str, Any]:
        """Return the contract's document."""
        counts = Counter(name or "train" for name in self.dataset.splits)
        return {
            "schema": SCHEMA,
            "ok": self.ok,
            "task": "classify",
            "path": str(self.dataset.path),
            "format": self.dataset.format,
            "classes": list(self.dataset.classes),
            "splits": dict(counts),
            "images": len(self.dataset),
            "roles": {} if self.split is None else {r: len(self.split.role(r)) for r in splits.ROLES},
            "findings": [{**asdict(f), "examples": list(f.examples)} for f in self.findings],
            "fingerprint": self.inventory.fingerprint,
        }


def check(
    dataset: Dataset,
    *,
    strict: bool = False,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = silent,
) -> CheckResult:
    """Read every picture of a data set once and report what would spoil a result.

    Args:
        dataset: As `data.open` returned it.
        strict: Warnings count as errors.
        seed: What training would be started with: decides which pictures are carved from train.
        threads: At most so many decode at once.
        progress: Told a few times a second.
    """
    inventory = inventories.take(dataset, threads=threads, progress=progress)
    trainable = splits.can_train(dataset, inventory)
    split = splits.make(dataset, inventory, seed=seed) if trainable else None
    found = findings_in(dataset, inventory, split)
    stopping = ("error", "warning") if strict else ("error",)
    ok = not any(finding.severity in stopping for finding in found)
    return CheckResult(dataset, inventory, split, tuple(found), ok)
