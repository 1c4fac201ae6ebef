"""From a path to pictures at model size with roles: what training starts from."""

import json
from dataclasses import dataclass
from pathlib import Path

from foveal.core import files
from foveal.core.errors import DataError
from foveal.core.progress import Progress
from foveal.core.types import Finding
from foveal.data import inventory as inventories
from foveal.data import opening
from foveal.data import split as splits
from foveal.data.check import check
from foveal.data.dataset import Dataset
from foveal.data.inventory import Inventory
from foveal.data.preprocess import Preprocess
from foveal.data.sizing import suggest_channels, suggest_size
from foveal.data.split import Split
from foveal.data.store import Store, StoreWriter, channel_statistics
from foveal.train.recipe import Recipe

SPLIT = "split.json"
_STORE = "store/pixels.npy"


@dataclass(frozen=True)
class Prepared:
    """Data ready to train on.

    Attributes:
        dataset: Names and labels.
        inventory: What every picture is.
        split: Who has which role.
        store: Pixels at model size.
        preprocess: How they became so, with the mean and deviation of the fit part.
        findings: What the check had to say.
    """

    dataset: Dataset
    inventory: Inventory
    split: Split
    store: Store
    preprocess: Preprocess
    findings: tuple[Finding, ...]


def prepare(
    data: Path, run: Path, recipe: Recipe, *, strict: bool, threads: int, progress: Progress
) -> Prepared:
    """Read, check, split and store the pictures; what a run already has is checked and reused.

    Args:
        data: Anything `foveal check` recognizes.
        run: The run folder; gets `split.json` and `store/`.
        recipe: Size and seed.
        strict: Warnings stop it too.
        threads: For decoding.
        progress: Told about the pictures.

    Raises:
        DataError: The data would spoil the result, or are not those that the run started with.
    """
    dataset = opening.open(data)
    channels = suggest_channels(dataset)
    unit = (0.5,) * channels  # the statistics are only known after the pass; pixels do not depend on them
    preprocess = Preprocess(size=recipe.size or suggest_size(dataset), channels=channels, mean=unit, std=unit)
    path = run / _STORE
    path.parent.mkdir(exist_ok=True)
    if path.is_file() and (run / SPLIT).is_file():
        inventory = inventories.take(dataset, threads=threads, progress=progress)
        document = json.loads((run / SPLIT).read_text(encoding="utf-8"))
        split = splits.from_json(document, dataset, inventory)
        findings = tuple(check(dataset, inventory, split))
        store = Store.open(path, preprocess=preprocess, fingerprint=inventory.fingerprint)
    else:
        with StoreWriter(path, count=len(dataset), preprocess=preprocess) as writer:
            inventory = inventories.take(dataset, store=writer, threads=threads, progress=progress)
            split = splits.make(dataset, inventory, seed=recipe.seed)
            findings = tuple(check(dataset, inventory, split))
            _refuse(findings, data, strict=strict)
            store = writer.seal(dataset.labels, fingerprint=inventory.fingerprint)
        files.write_json(run / SPLIT, split.to_json(dataset, inventory))
    mean, std = channel_statistics(store.images, split.fit)
    preprocess = preprocess.model_copy(update={"mean": mean, "std": std})
    return Prepared(dataset, inventory, split, store, preprocess, findings)


def _refuse(findings: tuple[Finding, ...], data: Path, *, strict: bool) -> None:
    stopping = [f for f in findings if f.severity == "error" or (strict and f.severity == "warning")]
    if stopping:
        first = stopping[0]
        more = f" (and {len(stopping) - 1} more: foveal check {data})" if len(stopping) > 1 else ""
        raise DataError(f"{first.message}{more}", code=first.code, hint=first.hint, path=data)
