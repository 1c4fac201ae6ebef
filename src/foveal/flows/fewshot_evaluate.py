"""Measure a few-shot run on classes that it has not learned from."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from foveal.core import files, machine, runs
from foveal.core.errors import DataError, UsageError
from foveal.core.progress import Progress, silent
from foveal.data import class_split, opening
from foveal.data import inventory as inventories
from foveal.data import split as splits
from foveal.data.dataset import Dataset
from foveal.data.store import StoreWriter
from foveal.flows._fewshot_measure import Pictures, Terms, measured
from foveal.flows._fewshot_run import about, read_model
from foveal.flows._prepare import SPLIT
from foveal.flows._run_folder import RECIPE
from foveal.train.episodic._recipe import FewshotRecipe, read_fewshot_recipe

SCHEMA = "foveal.fewshot/1"
_ROLES = {"val": "calib", "test": "test"}


@dataclass(frozen=True)
class Wanted:
    """What is to be measured; what is None is as the run was told.

    Attributes:
        way, shot: Classes of a task, and support pictures of each.
        query: Query pictures of each class.
        episodes: Tasks, at least 2; 600 are usual, and fewer say little.
        steps: Inner steps.
        transductive: Also with all queries of a task seen at once, as a number of its own.
        split: Of the data that the run learned from: `val` or `test` classes.
        seed: Of the tasks.
        threads: None takes all processors we may use.
    """

    way: int | None = None
    shot: int | None = None
    query: int = 15
    episodes: int = 600
    steps: int | None = None
    transductive: bool = False
    split: str | None = None
    seed: int = 0
    threads: int | None = None


USUAL = Wanted()


def evaluate(
    run: str | Path, data: str | Path, *, wanted: Wanted = USUAL, progress: Progress = silent
) -> dict[str, Any]:
    """Return the `foveal.fewshot/1` document of a run on classes that it has not learned from.

    Args:
        run: Folder of a finished few-shot run.
        data: Other data, of which all classes count; or those that it learned from, of which the held-out
            ones do.
        wanted: What is measured.
        progress: Told about pictures and tasks.

    Raises:
        NotFoundError: No such run or data.
        DataError: `trained_on`: pictures or classes were learned from; `too_few_classes`.
        UsageError: `other_task`, or no such split.
    """
    run = runs.find(run)
    objective, plan = read_model(run)
    recipe = read_fewshot_recipe(run / RECIPE)
    saved = files.read_json(run / SPLIT, dict, hint="without it nothing says what was learned from")
    dataset = opening.open_labelled(data)
    if dataset.clip is not None:
        raise UsageError("few-shot learning takes pictures, and these are clips", code="other_task")
    threads = wanted.threads or machine.usable_cpus()
    with tempfile.TemporaryDirectory(prefix="foveal-fewshot-") as folder:
        path = Path(folder) / "pixels.npy"
        with StoreWriter(path, count=len(dataset), preprocess=objective.preprocess) as writer:
            inventory = inventories.take(dataset, store=writer, threads=threads, progress=progress)
            store = writer.seal(dataset.labels, fingerprint=inventory.fingerprint)
        hashes = [h if good else "" for h, good in zip(inventory.sha256, inventory.readable, strict=True)]
        indices, how = unseen(dataset, hashes, saved, found=store.fingerprint, split=wanted.split)
        pictures = Pictures(np.asarray(store.images[indices]), store.labels[indices])
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = measured(
            objective, plan, pictures, _terms(wanted, recipe, objective.steps), progress=progress
        )
    finally:
        torch.set_num_threads(before)
    return {
        "schema": SCHEMA,
        "ok": True,
        "action": "evaluate",
        "run": str(run),
        "data": {
            "path": str(dataset.path),
            "fingerprint": store.fingerprint,
            "unseen": how,
            "pictures": len(indices),
        },
        **about(plan, objective),
        "metrics": found,
    }


def unseen(
    dataset: Dataset, hashes: Sequence[str], saved: Mapping[str, Any], *, found: str, split: str | None
) -> tuple[NDArray[np.int64], str]:
    """Return the pictures of classes that were not learned from, and how that is known.

    Args:
        dataset: The data.
        hashes: Content hash of each picture; "" where it cannot be read.
        saved: `split.json` of the run.
        found: Fingerprint of the data.
        split: `val` or `test`; None: of the data that were learned from `test`, of others all.

    Returns:
        Indices, int64, and `split` where these are the held-out classes of the training data, `content` where
        neither a picture nor a class's name is one of those that were learned from.

    Raises:
        DataError: `trained_on`; `no_images`: the run held no classes out, or all pictures are unreadable.
        UsageError: No such split.
    """
    if found == saved["fingerprint"]:
        if (split or "test") not in _ROLES:
            raise UsageError(f"there is no split {split!r}; the training held out: {', '.join(_ROLES)}")
        kept = class_split.from_json(saved, dataset, fingerprint=found).role(_ROLES[split or "test"])
        if len(kept) == 0:
            raise DataError(
                f"the run held no {split or 'test'} classes of {dataset.path} out",
                code="no_images",
                hint="measure on other data, or train with --held-out 0.15",
                path=dataset.path,
            )
        return kept, "split"
    readable = np.flatnonzero([bool(content) for content in hashes])
    if split is not None:
        if split not in dataset.split_names:
            there_are = ", ".join(dataset.split_names) or "none"
            raise UsageError(f"{dataset.path} has no split {split!r}; it has: {there_are}")
        readable = readable[np.array(dataset.splits)[readable] == split]
    learned = splits.hashes_of(saved, "fit")
    seen = [dataset.sources[i] for i in readable.tolist() if hashes[i] in learned]
    if seen:
        raise _trained_on(dataset, f"{len(seen)} of {len(readable)} pictures were learned from", seen[0])
    there = class_split.classes_of(dataset, readable)
    known = [name for name in there if name in set(saved["classes"]["fit"])]
    if known:
        raise _trained_on(dataset, f"{len(known)} of {len(there)} classes were learned from", known[0])
    return readable, "content"


def _trained_on(dataset: Dataset, what: str, first: str) -> DataError:
    return DataError(
        f"{what}, the first is {first}; a number measured on them would say nothing about new classes",
        code="trained_on",
        hint="give data of other classes, or all that were trained on: then the held-out classes count",
        path=dataset.path,
    )


def _terms(wanted: Wanted, recipe: FewshotRecipe, steps: int) -> Terms:
    if wanted.steps is not None and not steps:
        raise UsageError("this method takes no inner steps", hint="leave --inner-steps out")
    return Terms(
        way=wanted.way or recipe.way,
        shot=wanted.shot or recipe.shot,
        query=wanted.query,
        episodes=wanted.episodes,
        steps=(wanted.steps or recipe.test_steps or steps + 2) if steps else None,
        transductive=wanted.transductive,
        seed=wanted.seed,
    )
