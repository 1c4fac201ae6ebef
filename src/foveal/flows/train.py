"""The main job: check → train → export → calibrate → seal → evaluate → report."""

import json
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foveal.bundle.manifest import Data, Images, Licenses
from foveal.core import catalog, files, machine, runs
from foveal.core.errors import FovealError, NotFoundError
from foveal.core.progress import Progress, silent
from foveal.data import opening
from foveal.data.dataset import Dataset
from foveal.evaluate.robustness import MOST_IMAGES as MOST_DISTURBED
from foveal.export.sealing import MOST_COMPARED, Exported, Origin, bundle
from foveal.flows._environment import compare_environment, environment, write_environment
from foveal.flows._log import Logged
from foveal.flows._measure import measure_bundle
from foveal.flows._mistake_maps import ANSWERS_EACH as ANSWERS_PER_MISTAKE
from foveal.flows._mistake_maps import MOST as MISTAKES_EXPLAINED
from foveal.flows._objective import make_objective
from foveal.flows._prepare import STORE, Prepared, Wishes, prepare
from foveal.flows._report import write_refusal, write_report
from foveal.flows._run_folder import RECIPE, Command, bundle_name, read_command, start, undone_if_refused
from foveal.flows._train_document import clock, train_document
from foveal.perturb import corruptions
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train import checkpoint
from foveal.train.loop import Examples, Fitted, fit, settings
from foveal.train.plan import Plan, read_plan, write_plan
from foveal.train.planning import Facts, check_recipe, plan_training
from foveal.train.recipe import Recipe, read_recipe, write_recipe

_LOG, _PLAN, _CHECKPOINTS = "log.txt", "plan.json", "checkpoints"
_EXPORT_SECONDS = 11.0
_PIXELS_PER_SECOND = 2.5e6
_EXPLAINED_PIXELS_PER_SECOND = 5e6  # the bundle alone answers: nothing is disturbed or compared


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
        force: Replace a run that is in the folder; it is gone once the data are accepted.
        progress: Told about every stage.

    Raises:
        DataError: The data would spoil the result.
        RecipeError: The recipe cannot be carried out.
        UnknownNameError: The recipe names a model or an augmentation that is not there.
        WriteError: The run folder cannot be written, holds something else than a run, or lies in the data.
    """
    job = _Job(recipe or Recipe(), Command(bundle_name(Path(data)), strict), progress, time.monotonic())
    # All this before a folder is made: a slip of the pen leaves nothing behind.
    check_recipe(job.recipe)
    runs.keep_apart(out, Path(data))
    dataset = opening.open(data)
    made = out is None or not files.is_there(out)
    run = runs.new_run("train", out=out, force=force)
    with runs.locked(run):
        with undone_if_refused(run, started=True, made=made):
            start(run, job.recipe, job.command, environment(job.recipe))
            runs.mark_last(run)
            prepared, plan = _decide(run, job, dataset)
        return _carry_out(run, job, prepared, plan)


def resume(
    run: str | Path,
    data: str | Path,
    *,
    threads: int | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> TrainResult:
    """Go on with a run that was stopped, killed or cut off, wherever it was.

    On the same machine with the same versions it ends in the weights that it would have ended in.

    Args:
        run: The run folder, or `runs/last`.
        data: The data it was started with, wherever they are now.
        threads: From now on; None: as many as before.
        force: Go on elsewhere or with other versions, where the last digits will differ.
        progress: Told about every stage.

    Raises:
        NotFoundError: No run there.
        DataError: The data changed since.
        TemporaryError: Another process is working on the run.
        UsageError: This is another machine, number of threads or version, and `force` is off.
        WriteError: The run folder cannot be written, or lies in the data.
    """
    run = runs.find(run)
    if not (run / RECIPE).is_file():
        raise NotFoundError(f"{run} is no run that can be resumed: it has no {RECIPE}", path=run)
    runs.keep_apart(run, Path(data))
    before = read_recipe(run / RECIPE)
    job = _Job(
        before.changed(threads=threads), read_command(run, Path(data)), progress, started=time.monotonic()
    )
    with runs.locked(run):
        moved = compare_environment(run, environment(job.recipe), force=force)
        with undone_if_refused(run, started=False, made=False):
            runs.mark_last(run)
            prepared, plan = _decide(run, job, opening.open(data), moved=moved)
        return _carry_out(run, job, prepared, plan)


@dataclass(frozen=True)
class _Job:
    recipe: Recipe
    command: Command
    progress: Progress
    started: float

    @property
    def threads(self) -> int:
        return self.recipe.threads or machine.usable_cpus()


def _decide(
    run: Path, job: _Job, dataset: Dataset, *, moved: dict[str, Any] | None = None
) -> tuple[Prepared, Plan]:
    """Read the data and plan the training, as far as that is not done yet.

    Args:
        run: The run folder.
        job: What is wanted.
        dataset: The data.
        moved: What `env.json` has to say where the run goes on in another environment.
    """
    job = replace(job, progress=Logged(job.progress, run / _LOG))
    decoded = (run / STORE).is_dir()
    try:
        wishes = Wishes(job.recipe.size, job.recipe.seed, job.command.strict, job.threads)
        prepared = prepare(dataset, run, wishes, progress=job.progress)
        if moved is not None:  # only now: data that are refused leave the run as it was
            write_environment(run, moved)
        if job.recipe != read_recipe(run / RECIPE):
            write_recipe(job.recipe, run / RECIPE)
        return prepared, _known_plan(run, job.threads) or _plan(run, job, prepared)
    except FovealError:
        if not decoded:  # refused: nothing will go on from it
            shutil.rmtree(run / STORE, ignore_errors=True)
        raise


def _known_plan(run: Path, threads: int) -> Plan | None:
    """Return the plan of a run that has one, for this number of threads; its checkpoints come along."""
    plan = read_plan(run / _PLAN)
    if plan is None or plan.threads == threads:
        return plan
    moved = plan.model_copy(update={"threads": threads})
    # The plan last: killed in between, the same is done again.
    checkpoint.adopt(run / _CHECKPOINTS, plan=plan.digest, by=moved.digest)
    write_plan(moved, run / _PLAN)
    return moved


def _carry_out(run: Path, job: _Job, prepared: Prepared, plan: Plan) -> TrainResult:
    """Train as far as that is not done yet, and prove what comes out."""
    job = replace(job, progress=Logged(job.progress, run / _LOG))
    with settings(plan):
        objective = make_objective(plan, prepared)
    fitted = fit(
        objective, _examples(prepared, "fit"), plan, checkpoints=run / _CHECKPOINTS, progress=job.progress
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
    write_plan(plan, run / _PLAN)
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
    exported = _export(recognizer, prepared, run / f"{job.command.name}.foveal", threads=plan.threads)
    job.progress("export", 1, 1)
    evaluation = None
    if exported.bundle is None:
        page = write_refusal(run, exported.parity, fitted.history)
    else:
        evaluation = measure_bundle(exported.bundle, prepared, threads=plan.threads, progress=job.progress)
        page = write_report(
            run, evaluation, fitted.history, prepared, threads=plan.threads, progress=job.progress
        )
    document = train_document(run, prepared, plan, fitted, exported, evaluation)
    earlier = fitted.seconds - fitted.seconds_now  # before it was resumed
    document |= clock(job.recipe.time_seconds, time.monotonic() - job.started + earlier)
    files.write_json(run / "metrics.json", document)
    shutil.rmtree(run / STORE, ignore_errors=True)
    return TrainResult(run, exported.bundle, page, document, evaluation)


def _export(recognizer: Recognizer, prepared: Prepared, path: Path, *, threads: int) -> Exported:
    """Seal a bundle; test images only show that file and network agree, nothing is fitted on them."""
    split = prepared.split
    data = Data(
        fingerprint=split.fingerprint,
        split_seed=split.seed,
        images=Images(fit=len(split.fit), calib=len(split.calib), test=len(split.test)),
        split_digest=split.digest,
    )
    return bundle(
        recognizer,
        path,
        calib=_examples(prepared, "calib"),
        test=_examples(prepared, "test"),
        origin=Origin(data, source="scratch", licenses=Licenses(code="Apache-2.0", weights=None, data=None)),
        threads=threads,
    )


def _examples(prepared: Prepared, role: str) -> Examples:
    split = prepared.split
    return Examples(prepared.store.images, prepared.store.labels, split.role(role), split.units)


def _after_seconds(prepared: Prepared) -> float:
    """Return a forecast of what export, calibration, evaluation and report will take.

    Most is fixed (the exporter's imports); the rest grows with the pictures that are looked at.
    """
    calib, test = len(prepared.split.calib), len(prepared.split.test)
    compared = 2 * min(calib + test, MOST_COMPARED)  # by the network and by the file
    disturbed = (1 + len(catalog.names(corruptions))) * min(test, MOST_DISTURBED)
    explained = min(test, MISTAKES_EXPLAINED) * ANSWERS_PER_MISTAKE
    seconds = (calib + test + compared + disturbed) / _PIXELS_PER_SECOND
    seconds += explained / _EXPLAINED_PIXELS_PER_SECOND
    return _EXPORT_SECONDS + seconds * prepared.preprocess.size**2
