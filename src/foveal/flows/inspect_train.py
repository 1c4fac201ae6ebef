"""From parts to a bundle that accepts, rejects or sends to review: train, prove a rule, seal, measure."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from foveal.bundle import archive
from foveal.calibrate.inspection.fit import Demands
from foveal.core import machine
from foveal.core.errors import DataError, UnknownNameError, UsageError
from foveal.core.progress import Progress, silent
from foveal.data import opening
from foveal.data.dataset import Dataset
from foveal.data.good import one_kind
from foveal.data.scene import VOID
from foveal.data.sizing import evenly_spaced
from foveal.flows._inspect_good import train_good
from foveal.flows._inspect_surface import train_surface
from foveal.flows._inspection_rule import good_classes, seal_rule
from foveal.flows.inspect_evaluate import Question, inspect_evaluate
from foveal.flows.train import train
from foveal.train.recipe import Recipe

SCHEMA = "foveal.inspect-train/1"
Mode = Literal["pairs", "surface", "good", "classes"]
MODES: tuple[Mode, ...] = ("pairs", "surface", "good", "classes")
PAIRS = "candidates"  # the model of pairs
_LOOKED_AT = 16  # defective parts, of which one may have a mask


@dataclass(frozen=True)
class Wanted:
    """What is asked of an inspection beside the recipe.

    Attributes:
        mode: How parts are judged; None: as the data suggest.
        good: Folders, or classes, of good parts, beside those that say so.
        demands: What its rule has to promise.
        question: What is asked of the test part.
    """

    mode: Mode | None = None
    good: tuple[str, ...] = ()
    demands: Demands = field(default_factory=Demands)
    question: Question = field(default_factory=Question)


def inspect_train(  # noqa: PLR0913 - as `flows.train.train`, and what the rule is for
    data: str | Path,
    wanted: Wanted | None = None,
    recipe: Recipe | None = None,
    *,
    out: Path | None = None,
    strict: bool = False,
    force: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Return the `foveal.inspect-train/1` document of an inspection that was trained, sealed and measured.

    Args:
        data: Parts whose truth is known; see docs/inspection.md.
        wanted: What is asked of it; None: all as the data suggest.
        recipe: Of the training; None: all defaults.
        out: Run folder; None: a new one.
        strict: Warnings of the check stop it, too.
        force: Replace a run that is in the folder.
        progress: Told about every stage.

    Raises:
        UsageError: The mode and the data, or the recipe, do not fit.
        FovealError: What `flows.train.train` raises.
    """
    wanted, recipe = wanted or Wanted(), recipe or Recipe()
    mode = wanted.mode or mode_of(data, good=wanted.good, group=recipe.group)
    run, bundle, told = _trained(
        data, mode, wanted, recipe, out=out, strict=strict, force=force, progress=progress
    )
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "ok": bundle is not None,
        "mode": mode,
        "run": str(run),
        "bundle": None if bundle is None else str(bundle),
        "training": told,
    }
    if bundle is None:
        return {**document, "digest": None, "rule": None, "notes": [], "limits": None, "evaluation": None}
    threads = recipe.threads or machine.usable_cpus()
    dataset = _dataset(data, mode, wanted, recipe)
    good = good_classes(dataset, wanted.good) if mode == "classes" else ()
    rule = seal_rule(bundle, bundle, dataset, wanted.demands, good=good, threads=threads, progress=progress)
    found = inspect_evaluate(
        bundle,
        dataset,
        seed=recipe.seed,
        question=wanted.question,
        threads=threads,
        progress=progress,
    )
    if found.report is not None:
        archive.attach_report(bundle, found.report.without_names().as_json())
    return {
        **document,
        "digest": found.document["digest"],
        "rule": rule.rule.model_dump(mode="json"),
        "notes": list(rule.notes),
        "limits": rule.limits.as_json(),
        "calibration": rule.fitted.as_json()["outcome"],
        "evaluation": found.document,
    }


def mode_named(name: str | None) -> Mode | None:
    """Return the mode of a name; None stays so.

    Raises:
        UnknownNameError: There is none.
    """
    found = next((mode for mode in MODES if mode == name), None)
    if name is not None and found is None:
        raise UnknownNameError("modes", name, MODES, hint="--mode takes one of these")
    return found


def mode_of(data: str | Path, *, good: tuple[str, ...] = (), group: str | None = None) -> Mode:
    """Return how parts are judged, as the data suggest.

    Pairs where pictures come with templates; `surface` where masks show defects; `good` where all parts are
    good; else `classes`, of which some are good.

    Raises:
        NotFoundError, DataError: As `data.open`; `no_inspection`: nothing says which parts are good.
    """
    if opening.open(data, group=group).pairs:
        return "pairs"
    try:
        found = opening.open(data, group=group, task="defect", good=good)
    except DataError as error:
        if error.code not in ("other_task", "unknown_layout"):
            raise
        found = None
    if found is None or not (found.labels == 0).any():
        raise DataError(
            f"{data} does not say which parts are good",
            code="no_inspection",
            hint="--good NAME names their folders; how pairs, masks and kinds lie is in docs/inspection.md",
            path=Path(data),
        )
    defective = np.flatnonzero(found.labels > 0)
    if not len(defective):
        return "good"
    some = defective[evenly_spaced(len(defective), at_most=_LOOKED_AT)]
    return "surface" if any(_shown(found, int(index)) for index in some) else "classes"


def _shown(dataset: Dataset, index: int) -> bool:
    """Return whether it is said where the defect of a part is."""
    assert dataset.scenes is not None
    assert dataset.scenes.regions is not None
    found = dataset.scenes.regions(index)
    return bool(((found > 0) & (found < VOID)).any())


def _trained(  # noqa: PLR0913 - as `inspect_train`
    data: str | Path,
    mode: Mode,
    wanted: Wanted,
    recipe: Recipe,
    *,
    out: Path | None,
    strict: bool,
    force: bool,
    progress: Progress,
) -> tuple[Path, Path | None, dict[str, Any]]:
    """Return run folder, bundle and document of the training of a mode."""
    how: dict[str, Any] = {"out": out, "strict": strict, "force": force, "progress": progress}
    if mode == "good":
        return _only_good(data, wanted, recipe, how)
    if mode == "surface":
        result = train_surface(data, recipe.changed(good=wanted.good), **how)
    elif mode == "pairs":
        named = "model" in recipe.model_fields_set
        result = train(data, recipe=recipe if named else recipe.changed(model=PAIRS), **how)
    else:
        result = train(data, recipe=recipe.changed(good=()), **how)
    return result.run, result.bundle, result.document


def _only_good(
    data: str | Path, wanted: Wanted, recipe: Recipe, how: dict[str, Any]
) -> tuple[Path, Path | None, dict[str, Any]]:
    demands = wanted.demands
    learned = train_good(
        data, recipe.changed(good=wanted.good), rate=demands.false_call, delta=demands.delta, **how
    )
    told = {
        "task": "defect",
        "seconds": round(learned.seconds, 2),
        "features": "learned before" if learned.trained else "random",
        "false_calls": None if learned.promised is None else learned.promised.as_json(),
        "report": str(learned.page),
    }
    return learned.run, learned.bundle, told


def _dataset(data: str | Path, mode: Mode, wanted: Wanted, recipe: Recipe) -> Dataset:
    """Return the data as the training read them."""
    if mode in ("surface", "good"):
        found = recipe.changed(task="defect", good=wanted.good).opened(data)
        return one_kind(found) if mode == "good" else found
    found = recipe.opened(data)
    if mode == "pairs" and not found.pairs:
        raise UsageError(f"{data} has no templates", code="other_task", hint="docs/inspection.md has layouts")
    return found
