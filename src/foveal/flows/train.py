"""The main job: check → train → export → calibrate → seal → evaluate → report."""

import json
import re
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foveal.bundle.manifest import Data, Images
from foveal.core import files, machine, runs
from foveal.core.errors import FovealError, NotFoundError
from foveal.core.progress import Progress, silent
from foveal.data import opening
from foveal.data.archive import SUFFIXES
from foveal.data.dataset import Dataset
from foveal.export.sealing import Exported, bundle
from foveal.flows._environment import compare_environment, environment, write_environment
from foveal.flows._log import Logged
from foveal.flows._measure import measure_bundle
from foveal.flows._objective import make_objective
from foveal.flows._prepare import STORE, Prepared, Wishes, prepare
from foveal.flows._report import write_refusal, write_report
from foveal.flows._train_document import clock, train_document
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train.loop import Examples, Fitted, fit, settings
from foveal.train.plan import Plan, read_plan, write_plan
from foveal.train.planning import Facts, plan_training
from foveal.train.recipe import Recipe, read_recipe, write_recipe

_EXPORT_SECONDS = 11.0
_PIXELS_PER_SECOND = 2.5e6
# What a run writes; see docs/commands/train.md.
_FILES = (
    "*.foveal", "report.html", "metrics.json", "history.jsonl", "plan.json", "split.json", "findings.json",
    "log.txt",
)  # fmt: skip
_FOLDERS = ("checkpoints", "figures", "model", STORE)


@dataclass(frozen=True)
class TrainResult:
    """What a training left behind.

    Attributes:
        run: The run folder.
        bundle: The sealed recognizer, or None where a gate failed.
        report: The page; after a failed gate it says what failed.
        document: The `foveal.train/1` document.
        evaluation: The `foveal.evaluate/1` document of the bundle, or None.
    """

    run: Path
    bundle: Path | None
    report: Path
    document: dict[str, Any]
    evaluation: dict[str, Any] | None


def train(
    data: str | Path,
    *,
    recipe: Recipe | None = None,
    out: Path | None = None,
    strict: bool = False,
    force: bool = False,
    progress: Progress = silent,
) -> TrainResult:
    """Train a recognizer on labelled pictures and prove it on the file that ships.

    Args:
        data: Anything `foveal check` recognizes; it is only read.
        recipe: What the user wants; None: all defaults.
        out: Run folder; None: `runs/train-<n>`.
        strict: Warnings of the check stop it.
        force: Write into a folder that is not empty; what an earlier run left there is gone.
        progress: Told about every stage.

    Raises:
        DataError: The data would spoil the result.
        RecipeError: The recipe cannot be carried out.
        WriteError: The run folder cannot be written.
    """
    job = _Job(Path(data), recipe or Recipe(), strict, progress, time.monotonic())
    dataset = opening.open(data)  # before a folder is made: a slip of the pen leaves nothing behind
    run = runs.new_run("train", out=out, force=force)
    with runs.locked(run):
        _empty(run)
        write_recipe(job.recipe, run / "recipe.toml")
        write_environment(run, environment(job.recipe))
        return _carry_on(run, job, dataset)


def resume(
    run: str | Path, data: str | Path, *, force: bool = False, progress: Progress = silent
) -> TrainResult:
    """Go on with a run that was stopped, killed or cut off, wherever it was.

    On the same machine with the same versions it ends in the weights that it would have ended in.

    Args:
        run: The run folder.
        data: The data it was started with.
        force: Go on elsewhere or with other versions, where the last digits will differ.
        progress: Told about every stage.

    Raises:
        NotFoundError: No run there.
        DataError: The data changed since.
        TemporaryError: Another process is working on the run.
        UsageError: This is another machine, number of threads or version, and `force` is off.
    """
    run = Path(run)
    if not (run / "recipe.toml").is_file():
        raise NotFoundError(f"{run} is no run that can be resumed: it has no recipe.toml", path=run)
    job = _Job(Path(data), read_recipe(run / "recipe.toml"), False, progress, time.monotonic())
    with runs.locked(run):
        compare_environment(run, environment(job.recipe), force=force)
        return _carry_on(run, job, opening.open(data))


@dataclass(frozen=True)
class _Job:
    data: Path
    recipe: Recipe
    strict: bool
    progress: Progress
    started: float


def _empty(run: Path) -> None:
    """Remove what an earlier run left in a folder that is to be written anew; other files stay."""
    for pattern in _FILES:
        for path in run.glob(pattern):
            path.unlink()
    for name in _FOLDERS:
        shutil.rmtree(run / name, ignore_errors=True)


def _carry_on(run: Path, job: _Job, dataset: Dataset) -> TrainResult:
    """Do whatever the run has not done yet."""
    job = replace(job, progress=Logged(job.progress, run / "log.txt"))
    recipe, threads = job.recipe, job.recipe.threads or machine.usable_cpus()
    try:
        wishes = Wishes(recipe.size, recipe.seed, job.strict, threads)
        prepared = prepare(dataset, run, wishes, progress=job.progress)
        plan = read_plan(run / "plan.json") or _plan(run, job, prepared)
    except FovealError:
        shutil.rmtree(run / STORE, ignore_errors=True)  # refused: nothing will go on from it
        raise
    runs.mark_last(run)
    with settings(plan):
        objective = make_objective(plan, prepared)
    fitted = fit(
        objective, _examples(prepared, "fit"), plan, checkpoints=run / "checkpoints", progress=job.progress
    )
    return _finish(run, job, prepared, plan, fitted)


def _plan(run: Path, job: _Job, prepared: Prepared) -> Plan:
    """Decide all that is open, and write it down: from here on no clock decides."""
    budget = job.recipe.time_seconds
    deadline = None if budget is None else job.started + budget - _after_seconds(prepared)
    plan = plan_training(
        job.recipe,
        _examples(prepared, "fit"),
        Facts(prepared.preprocess.size, prepared.preprocess.channels, len(prepared.dataset.classes)),
        lambda draft: make_objective(draft, prepared),
        seconds_left=None if deadline is None else lambda: deadline - time.monotonic(),
        progress=job.progress,
    )
    write_plan(plan, run / "plan.json")
    job.progress("plan", 1, 1, plan.reasons["length"])
    return plan


def _finish(run: Path, job: _Job, prepared: Prepared, plan: Plan, fitted: Fitted) -> TrainResult:
    """Ship the averaged weights, measure the file that ships, and report."""
    network = recognizers.build(plan.model, plan.arguments)
    recognizer = Recognizer(
        network, plan.model, plan.arguments, prepared.preprocess, prepared.dataset.classes
    ).with_weights(fitted.weights)
    recognizers.save(recognizer, run / "model")
    files.write_text(run / "history.jsonl", "".join(json.dumps(row) + "\n" for row in fitted.history))
    job.progress("export", 0, 1)
    exported = _export(recognizer, prepared, run / f"{_name(job.data)}.foveal", threads=plan.threads)
    job.progress("export", 1, 1)
    evaluation = None
    if exported.bundle is None:
        page = write_refusal(run, exported.parity, fitted.history)
    else:
        evaluation = measure_bundle(exported.bundle, prepared, threads=plan.threads, progress=job.progress)
        page = write_report(run, evaluation, fitted.history, prepared)
    document = train_document(run, prepared, plan, fitted, exported, evaluation)
    earlier = fitted.seconds - fitted.session_seconds  # of sessions that were cut off
    document |= clock(job.recipe.time_seconds, time.monotonic() - job.started + earlier)
    files.write_json(run / "metrics.json", document)
    shutil.rmtree(run / STORE, ignore_errors=True)
    return TrainResult(run, exported.bundle, page, document, evaluation)


def _export(recognizer: Recognizer, prepared: Prepared, path: Path, *, threads: int) -> Exported:
    """Seal a bundle; test images only show that file and network agree, nothing is fitted on them."""
    split = prepared.split
    images = Images(fit=len(split.fit), calib=len(split.calib), test=len(split.test))
    return bundle(
        recognizer,
        path,
        calib=_examples(prepared, "calib"),
        test=_examples(prepared, "test"),
        data=Data(fingerprint=split.fingerprint, split_seed=split.seed, images=images),
        threads=threads,
    )


def _examples(prepared: Prepared, role: str) -> Examples:
    return Examples(prepared.store.images, prepared.store.labels, prepared.split.role(role))


def _after_seconds(prepared: Prepared) -> float:
    """Return a forecast of what export, calibration, evaluation and report will take.

    Most is fixed (the exporter's imports); the rest grows with the pictures that are looked at.
    """
    pixels = prepared.preprocess.size**2
    looked_at = len(prepared.split.calib) + len(prepared.split.test) + 4000
    return _EXPORT_SECONDS + looked_at * pixels / _PIXELS_PER_SECOND


def _name(data: Path) -> str:
    """Return the bundle's name: that of the data, without endings and odd characters."""
    stem = data.resolve().name
    for ending in sorted(SUFFIXES, key=len, reverse=True):
        stem = stem.removesuffix(ending)
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "recognizer"
