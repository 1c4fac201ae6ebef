"""The main job: check → train → export → calibrate → seal → evaluate → report."""

import json
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from foveal import models
from foveal.core import files, runs
from foveal.core.errors import FovealError, NotFoundError, UsageError
from foveal.core.progress import Progress, silent
from foveal.data import opening
from foveal.data.dataset import Dataset
from foveal.flows._environment import compare_environment, environment, write_environment
from foveal.flows._export import beginning_of, export_prepared, promises_of
from foveal.flows._finish_scenes import finish_scenes
from foveal.flows._job import PLAN, Job, agreed, check_ranks, plan_of, planned_for, started_from
from foveal.flows._kept_weights import keep, kept
from foveal.flows._log import Logged
from foveal.flows._measure import measure_bundle
from foveal.flows._objective import make_objective
from foveal.flows._origin import origin_of, with_model
from foveal.flows._over_time import measured_over_time, write_over_time
from foveal.flows._pool import with_pool
from foveal.flows._prepare import STORE, Prepared, prepare, suggested
from foveal.flows._report import explained_mistakes, write_refusal, write_report
from foveal.flows._run_folder import (
    ADAPTED,
    METRICS,
    RECIPE,
    Command,
    bundle_name,
    read_command,
    start,
    undone_if_refused,
)
from foveal.flows._scenes import maker
from foveal.flows._scratch import measured_scratch, transfer_seconds
from foveal.flows._suggest import check_unlabelled, suggest
from foveal.flows._train_document import clock, start_document, train_document
from foveal.flows._transfer import fitted_head, network_of
from foveal.flows._transfer_clips import fitted_reading
from foveal.flows._yardstick import fit_yardstick, measured_yardstick
from foveal.models import Builder
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train import checkpoint, ranks
from foveal.train.fit_plan import FitPlan
from foveal.train.fitting import fit_baseline
from foveal.train.loop import Fitted, fit, settings
from foveal.train.plan import Plan, read_plan, write_plan
from foveal.train.planning import check_recipe
from foveal.train.ranks import Team
from foveal.train.recipe import Recipe, read_recipe, recipe_from, write_recipe

_LOG, _CHECKPOINTS = "log.txt", "checkpoints"


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

    Under `torchrun` every rank calls this with the same arguments and returns the same result; the first one
    reads, writes and proves.

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
        UsageError: A builder of your own makes no classifier that can be trained and exported, or several
            ranks would do what one does.
        TemporaryError: Another rank was lost.
        WriteError: The run folder cannot be written, holds something else than a run, or lies in the data.
    """
    # All this before a folder is made: a slip of the pen leaves nothing behind.
    wanted = recipe or Recipe()
    recipe = with_model(wanted)
    check_recipe(recipe)
    check_unlabelled(recipe)
    more = [] if recipe.unlabelled is None else [recipe.unlabelled]
    runs.keep_apart(out, *(place for some in (data, *more) for place in opening.places(some)))
    own = recipe.architecture.said if recipe.architecture.is_own else None
    weights = origin_of(recipe)
    command = Command(bundle_name(Path(data)), strict, str(Path(data).absolute()), own)
    with ranks.joined() as team:
        check_ranks(recipe, team.size)
        job = Job(_shared(wanted, team), command, progress, time.monotonic(), team, weights)
        if not team.first:
            return _follow(job, data)
        return _started(job, data, out=out, force=force)


def _started(job: "Job", data: str | Path, *, out: Path | None, force: bool) -> TrainResult:
    dataset = job.recipe.opened(data)
    recipe = with_model(job.recipe, task=dataset.task).for_task(dataset.task)
    check_recipe(recipe)
    check_ranks(recipe, job.team.size)
    job = replace(job, recipe=recipe)
    made = out is None or not files.is_there(out)
    run = runs.new_run("train", out=out, force=force)
    with runs.locked(run):
        with undone_if_refused(run, started=True, made=made):
            start(run, job.recipe, job.command, environment(job.recipe, ranks=job.team.size))
            if job.weights is not None:
                keep(run, job.weights)
            runs.mark_last(run)
            prepared, plan = _decide(run, job, dataset)
        return _carry_out(run, job, prepared, plan)


def resume(
    run: str | Path,
    data: str | Path,
    *,
    model: Builder | None = None,
    threads: int | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> TrainResult:
    """Go on with a run that was stopped, killed or cut off, wherever it was.

    On the same machine with the same versions it ends in the weights that it would have ended in.

    Args:
        run: The run folder, or `runs/last`.
        data: The data it was started with, wherever they are now.
        model: The builder that it was started with, where that was one of your own.
        threads: From now on; None: as many as before.
        force: Go on elsewhere or with other versions, where the last digits will differ.
        progress: Told about every stage.

    Raises:
        NotFoundError: No run there.
        DataError: The data changed since, or the builder makes another network.
        TemporaryError: Another process is working on the run, or another rank was lost.
        UsageError: This is another machine, number of threads or ranks, or version, and `force` is off; or
            the builder is missing, or another one; or several ranks would do what one does.
        WriteError: The run folder cannot be written, or lies in the data.
    """
    run = runs.find(run)
    if not (run / RECIPE).is_file():
        raise NotFoundError(f"{run} is no run that can be resumed: it has no {RECIPE}", path=run)
    if (run / ADAPTED).is_file():
        raise UsageError(
            f"{run} holds a network that another run trained; there is nothing to go on with",
            code="adapted_run",
            hint=f"foveal train DATA --from {run} --epochs 20 learns on from its weights",
            path=run,
        )
    runs.keep_apart(run, *opening.places(data))
    command = read_command(run, Path(data))
    recipe = _with_builder(read_recipe(run / RECIPE), model, command).changed(threads=threads)
    with ranks.joined() as team:
        check_ranks(recipe, team.size)
        weights = kept(run) if recipe.transfers else None
        job = Job(_shared(recipe, team), command, progress, time.monotonic(), team, weights)
        if not team.first:
            return _follow(job, data)
        return _resumed(run, job, data, force=force)


def train_or_resume(
    data: str | Path, *, recipe: Recipe, out: Path, progress: Progress = silent
) -> TrainResult:
    """Train into a folder, or go on with the run of the same recipe that is there; nothing is learned twice.

    Args:
        data: As of `train`.
        recipe: What the user wants; its model by name.
        out: Run folder.
        progress: Told about every stage.

    Raises:
        UsageError: `other_recipe`: the run there was started with another recipe.
        FovealError: What `train` and `resume` raise.
    """
    if not (out / RECIPE).is_file():
        return train(data, recipe=recipe, out=out, progress=progress)
    if not read_recipe(out / RECIPE).stems_from(recipe):
        raise UsageError(
            f"the run in {out} was started with another recipe",
            code="other_recipe",
            hint="remove the run, give what it was started with, or another folder",
        )
    return resume(out, data, progress=progress)


def _resumed(run: Path, job: "Job", data: str | Path, *, force: bool) -> TrainResult:
    with runs.locked(run):
        moved = compare_environment(run, environment(job.recipe, ranks=job.team.size), force=force)
        with undone_if_refused(run, started=False, made=False):
            runs.mark_last(run)
            dataset = job.recipe.opened(data)
            prepared, plan = _decide(run, job, dataset, moved=moved)
        return _carry_out(run, job, prepared, plan)


def _shared(recipe: Recipe, team: Team) -> Recipe:
    """Return the recipe for one of several ranks: they share the processors."""
    return recipe if team.size == 1 else recipe.changed(threads=recipe.threads or team.threads)


def _with_builder(recipe: Recipe, model: Builder | None, command: Command) -> Recipe:
    """Return the recipe of a run with the builder that its name stands for."""
    if model is None:
        return recipe
    given, hint = models.architecture(model), "give the builder that it was started with, or train anew"
    if given.name != recipe.model:
        raise UsageError(
            f"the run was started with {recipe.model}, not with {given.name}", code="other_network", hint=hint
        )
    if given.is_own and command.network not in (None, given.said):
        raise UsageError(
            f"the run was started with other arguments or settings of {given.name}",
            code="other_network",
            hint=hint,
        )
    return recipe.changed(model=model)


def _follow(job: Job, data: str | Path) -> TrainResult:
    """Train as one of several ranks; the first one has prepared the run, and proves it afterwards."""
    told = job.team.told(None)
    run = Path(told["run"])
    # A builder of the user's own is told by its name alone.
    own = {"model": job.recipe.model} if job.recipe.architecture.is_own else {}
    job = replace(
        job,
        recipe=recipe_from({**told["recipe"], **own}),
        command=Command(**told["command"]),
        progress=silent,
    )
    dataset = job.recipe.opened(data)
    prepared = prepare(dataset, run, job.wishes(dataset), progress=silent)
    prepared = with_pool(run, job.recipe, prepared, progress=silent)
    job.team.meet()  # reading may have taken long; from here on, who is silent is lost
    plan = agreed(job, read_plan(run / PLAN) if told["planned"] else planned_for(job, prepared))
    _learned(run, job, prepared, plan)
    ended = job.team.told(None)
    bundle = None if ended["bundle"] is None else Path(ended["bundle"])
    return TrainResult(run, bundle, Path(ended["report"]), ended["document"], ended["evaluation"])


def _decide(
    run: Path, job: Job, dataset: Dataset, *, moved: dict[str, Any] | None = None
) -> tuple[Prepared, Plan | FitPlan]:
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
        wishes = job.wishes(dataset)
        if dataset.clip is not None:  # before films are decoded for nothing
            size = wishes.like.size if wishes.like else suggested(dataset, wishes.size).size
            check_recipe(job.recipe.changed(size=size))
        prepared = prepare(dataset, run, wishes, progress=job.progress)
        prepared = with_pool(run, job.recipe, prepared, progress=job.progress)
        if moved is not None:  # only now: data that are refused leave the run as it was
            write_environment(run, moved)
        if job.recipe != read_recipe(run / RECIPE):
            write_recipe(job.recipe, run / RECIPE)
        plan = _known_plan(run, job.threads)
        job.team.told(_start_of(run, job, planned=plan is not None))
        job.team.meet()
        return prepared, agreed(job, plan) if plan else plan_of(run, job, prepared)
    except FovealError:
        if not decoded:  # refused: nothing will go on from it
            shutil.rmtree(run / STORE, ignore_errors=True)
        raise


def _known_plan(run: Path, threads: int) -> Plan | FitPlan | None:
    """Return the plan of a run that has one, for this number of threads; its checkpoints come along."""
    plan = read_plan(run / PLAN)
    if plan is None or plan.threads == threads:
        return plan
    moved = plan.model_copy(update={"threads": threads})
    # The plan last: killed in between, the same is done again.
    checkpoint.adopt(run / _CHECKPOINTS, plan=plan.digest, by=moved.digest)
    write_plan(moved, run / PLAN)
    return moved


def _carry_out(run: Path, job: Job, prepared: Prepared, plan: Plan | FitPlan) -> TrainResult:
    """Train as far as that is not done yet, and prove what comes out."""
    job = replace(job, progress=Logged(job.progress, run / _LOG))
    result = _finish(run, job, prepared, plan, _learned(run, job, prepared, plan))
    job.team.told(
        {
            "bundle": None if result.bundle is None else str(result.bundle),
            "report": str(result.report),
            "document": result.document,
            "evaluation": result.evaluation,
        }
    )
    return result


def _learned(run: Path, job: Job, prepared: Prepared, plan: Plan | FitPlan) -> Fitted:
    learned = prepared.examples("fit")
    if isinstance(plan, Plan) and prepared.dataset.scenes is not None:
        with settings(plan):
            learning = maker(job.recipe, prepared, job.weights)(plan)
        return fit(learning, learned, plan, checkpoints=run / _CHECKPOINTS, progress=job.progress)
    if isinstance(plan, Plan) and job.weights is not None and plan.arguments.get("start") == "frozen":
        return fitted_reading(run, plan, job.recipe, job.weights, prepared, progress=job.progress)
    if isinstance(plan, FitPlan) and job.weights is not None:
        return fitted_head(run, plan, job.architecture, job.weights, prepared, progress=job.progress)
    if isinstance(plan, FitPlan):
        return fit_baseline(
            plan, learned, prepared.preprocess, checkpoints=run / _CHECKPOINTS, progress=job.progress
        )
    if job.team.first:
        fit_yardstick(run, plan, job.recipe, prepared, progress=job.progress)
    initial = None if job.weights is None else started_from(run, job, prepared, plan.starts_from)[0]
    with settings(plan):
        objective = make_objective(plan, job.architecture, prepared, initial=initial)
    return fit(objective, learned, plan, checkpoints=run / _CHECKPOINTS, progress=job.progress)


def _start_of(run: Path, job: Job, *, planned: bool) -> dict[str, Any]:
    """Return what the other ranks need to begin, as JSON knows it."""
    return {
        "run": str(run.resolve()),
        "recipe": job.recipe.model_dump(),
        "command": asdict(job.command),
        "planned": planned,
    }


def _finish(run: Path, job: Job, prepared: Prepared, plan: Plan | FitPlan, fitted: Fitted) -> TrainResult:
    """Ship the averaged weights, measure the file that ships, and report."""
    recognizer = Recognizer(
        network_of(plan, job.architecture),
        plan.model,
        plan.arguments,
        prepared.preprocess,
        prepared.dataset.classes,
        prepared.dataset.task,
    ).with_weights(fitted.weights)
    recognizers.save(recognizer, run / "model")
    files.write_text(run / "history.jsonl", "".join(json.dumps(row) + "\n" for row in fitted.history))
    if prepared.dataset.scenes is not None:
        return _finish_scenes(run, job, prepared, plan, fitted, recognizer)
    job.progress("export", 0, 1)
    exported = export_prepared(
        recognizer,
        prepared,
        run / f"{job.command.name}.foveal",
        promises=promises_of(job.recipe),
        threads=plan.threads,
        beginning=beginning_of(job.weights),
    )
    job.progress("export", 1, 1)
    evaluation, baseline, over_time, suggested = None, {}, None, None
    start = start_document(plan, job.weights)
    if exported.bundle is None:
        page = write_refusal(run, exported.parity, fitted.history)
    else:
        evaluation, answers = measure_bundle(
            exported.bundle, prepared, threads=plan.threads, progress=job.progress
        )
        baseline = measured_yardstick(
            run, prepared, answers, evaluation["metrics"]["majority"], threads=plan.threads
        )
        if job.weights is not None and job.recipe.scratch:
            seconds = transfer_seconds(run, plan, fitted)
            baseline["scratch"] = measured_scratch(
                run, job.recipe, prepared, answers, seconds=seconds, progress=job.progress
            )
        maps = explained_mistakes(evaluation, prepared, threads=plan.threads, progress=job.progress)
        over_time = measured_over_time(recognizer, prepared, progress=job.progress)
        beside = baseline if start is None else {**baseline, "start": start}
        page = write_report(run, evaluation, fitted.history, prepared, baseline=beside, maps=maps)
        write_over_time(run, over_time)
        suggested = suggest(
            run, exported.bundle, job.recipe, prepared, threads=plan.threads, progress=job.progress
        )
    document = train_document(run, prepared, plan, fitted, exported, evaluation)
    document |= {"start": start, "baseline": baseline, "over_time": over_time, "suggested": suggested}
    _close(run, job, fitted, document)
    return TrainResult(run, exported.bundle, page, document, evaluation)


def _finish_scenes(
    run: Path, job: Job, prepared: Prepared, plan: Plan | FitPlan, fitted: Fitted, recognizer: Recognizer
) -> TrainResult:
    """Ship what learned where something is, measure the file that ships, and report."""
    shipped = finish_scenes(
        run,
        recognizer,
        prepared,
        fitted,
        name=job.command.name,
        recipe=job.recipe,
        weights=job.weights,
        threads=plan.threads,
        progress=job.progress,
    )
    evaluation = None if shipped.report is None else shipped.report.as_json()
    document = train_document(run, prepared, plan, fitted, shipped.exported, evaluation)
    start = start_document(plan, job.weights)
    document |= {"start": start, "baseline": {}, "over_time": None, "suggested": None}
    _close(run, job, fitted, document)
    return TrainResult(run, shipped.exported.bundle, shipped.page, document, evaluation)


def _close(run: Path, job: Job, fitted: Fitted, document: dict[str, Any]) -> None:
    """Write what was done: from here on there is nothing to go on with."""
    earlier = fitted.seconds - fitted.seconds_now  # before it was resumed
    document |= clock(job.recipe.time_seconds, time.monotonic() - job.started + earlier)
    files.write_json(run / METRICS, document)
    shutil.rmtree(run / STORE, ignore_errors=True)
