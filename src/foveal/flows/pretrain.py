"""Learn from pictures without labels: read → plan → train, probing on the way → a network to start from."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from foveal.core import files, runs
from foveal.core.errors import NotFoundError, UsageError
from foveal.core.progress import Progress, silent
from foveal.data import opening
from foveal.flows._environment import compare_environment, environment, write_environment
from foveal.flows._kept_weights import keep, kept
from foveal.flows._log import Logged
from foveal.flows._origin import origin_of, start_reasons, transferred, with_model
from foveal.flows._prepare import STORE
from foveal.flows._pretrain_data import PROBE, Gathered, gather
from foveal.flows._pretrain_document import pretrain_document
from foveal.flows._pretrain_report import write_pretrain_report
from foveal.flows._probing import Probing
from foveal.flows._run_folder import (
    METRICS,
    RECIPE,
    Command,
    bundle_name,
    read_command,
    start,
    undone_if_refused,
)
from foveal.flows._train_document import clock
from foveal.models import Architecture
from foveal.models._head import head_of
from foveal.models.pretrained._fitting import fit_to
from foveal.models.pretrained._weights import Weights
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train import checkpoint, pretext, ranks
from foveal.train.loop import Fitted, fit, settings
from foveal.train.plan import Plan, read_plan, write_plan
from foveal.train.pretext_planning import check_pretext, plan_pretext
from foveal.train.pretext_recipe import PretextRecipe, read_pretext_recipe
from foveal.train.pretexts._pretext import Pretext
from foveal.train.recipe import Recipe

_LOG, _CHECKPOINTS, _PLAN = "log.txt", "checkpoints", "plan.json"
_AFTER_SECONDS = 6.0  # last probe, weights and report
_PROBING = 0.08  # share of a budget that probes may take


@dataclass(frozen=True)
class PretrainResult:
    """What a training without labels left behind.

    Attributes:
        run: The run folder; `foveal train DATA --from RUN` goes on from it.
        report: The page.
        document: The `foveal.pretrain/1` document.
    """

    run: Path
    report: Path
    document: dict[str, Any]


@dataclass(frozen=True)
class _Job:
    """What is to be done.

    Attributes:
        recipe: What the user wants.
        architecture: Builds the network, with a head that is left out.
        weights: What it starts from; None: from scratch.
        progress: Told about every stage.
        started: When, on the monotonic clock.
    """

    recipe: PretextRecipe
    architecture: Architecture
    weights: Weights | None
    progress: Progress
    started: float


def pretrain(
    data: str | Path,
    *,
    recipe: PretextRecipe | None = None,
    out: Path | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> PretrainResult:
    """Learn a network's features from pictures; labels, where there are any, only probe them.

    Args:
        data: A labelled data set, of which what training learns from is taken; or any folder or archive of
            pictures. It is only read.
        recipe: What the user wants; None: all defaults.
        out: Run folder; None: `runs/pretrain-<n>`.
        force: Replace a run that is in the folder.
        progress: Told about every stage.

    Raises:
        NotFoundError, DataError: There are no pictures, too few, or they cannot be read.
        RecipeError: The recipe cannot be carried out.
        UnknownNameError: No such method or model.
        UsageError: The network has nothing that the method needs; or `one_process`: several ranks.
        WriteError: The run folder cannot be written, or lies in the data.
    """
    recipe = recipe or PretextRecipe()
    check_pretext(recipe)
    if recipe.probe is not None and not files.is_there(Path(recipe.probe)):
        raise NotFoundError(f"there is no {recipe.probe}", path=recipe.probe)  # before all else is read
    job = _job(recipe, progress)
    _keep_apart(out, data, recipe)
    if out is not None and recipe.weights is not None:  # runs may lie beside each other
        runs.keep_apart(out, runs.find(recipe.weights))
    with _alone():
        made = out is None or not files.is_there(out)
        run = runs.new_run("pretrain", out=out, force=force)
        with runs.locked(run):
            with undone_if_refused(run, started=True, made=made):
                command = Command(bundle_name(Path(data)), False, str(Path(data).absolute()))
                start(run, job.recipe, command, environment(recipe))
                if job.weights is not None:
                    keep(run, job.weights)
                runs.mark_last(run)
                gathered, plan = _decided(run, job, Path(data))
            return _carried_out(run, job, gathered, plan)


def resume(
    run: str | Path,
    data: str | Path | None = None,
    *,
    threads: int | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> PretrainResult:
    """Go on with a run that was stopped or killed; it ends in the weights that it would have ended in.

    Args:
        run: The run folder, or `runs/last`.
        data: The pictures, wherever they are now; None: where they were.
        threads: From now on; None: as many as before.
        force: Go on elsewhere or with other versions, where the last digits will differ.
        progress: Told about every stage.

    Raises:
        NotFoundError: No run there, or no pictures where they were.
        DataError: The pictures changed since, or what the run keeps of its start is damaged.
        UsageError: This is another machine, number of threads or version, and `force` is off.
        FovealError: What `pretrain` raises.
    """
    run = runs.find(run)
    if not (run / RECIPE).is_file():
        raise NotFoundError(f"{run} is no run that can be resumed: it has no {RECIPE}", path=run)
    recipe = read_pretext_recipe(run / RECIPE).changed(threads=threads)
    found = Path(data) if data is not None else Path(read_command(run, run).data or run)
    _keep_apart(run, found, recipe)
    weights = None if recipe.weights is None else kept(run)
    architecture = recipe.architecture if weights is None else transferred(recipe.architecture, weights)
    job = _Job(recipe, architecture, weights, progress, time.monotonic())
    with _alone(), runs.locked(run):
        moved = compare_environment(run, environment(recipe), force=force)
        with undone_if_refused(run, started=False, made=False):
            runs.mark_last(run)
            gathered, plan = _decided(run, job, found)
            if moved is not None:
                write_environment(run, moved)
        return _carried_out(run, job, gathered, plan)


def _keep_apart(run: Path | None, data: str | Path, recipe: PretextRecipe) -> None:
    """Refuse a run folder by which anything would be written to that is only to be read.

    Raises:
        WriteError: `inside_data`: it is, holds or lies inside pictures that are named.
    """
    named = [data, *([] if recipe.probe is None else [recipe.probe])]
    runs.keep_apart(run, *(place for some in named for place in opening.places(some)))


def _job(recipe: PretextRecipe, progress: Progress) -> _Job:
    """Return what is to be done: what starts from a run has the network of that run."""
    if recipe.weights is None:
        return _Job(recipe, recipe.architecture, None, progress, time.monotonic())
    named = recipe.model if "model" in recipe.model_fields_set else None
    usual = with_model(Recipe(weights=recipe.weights).changed(size=recipe.size, model=named))
    weights = origin_of(usual)
    if weights is None:
        raise AssertionError("a recipe with weights transfers")
    architecture = transferred(usual.started, weights)
    return _Job(recipe.changed(model=architecture.name), architecture, weights, progress, time.monotonic())


@contextmanager
def _alone() -> Iterator[None]:
    """Refuse to be one of several ranks.

    Raises:
        UsageError: `one_process`: that is what `torchrun` made of this process.
    """
    with ranks.joined() as team:
        if team.size > 1:
            raise UsageError(
                "learning without labels is done by one process",
                code="one_process",
                hint="start it without torchrun",
            )
        yield


def _decided(run: Path, job: _Job, data: Path) -> tuple[Gathered, Plan]:
    """Read the pictures and plan, as far as that is not done yet: from here on no clock decides."""
    progress = Logged(job.progress, run / _LOG)
    gathered = gather(data, run, job.recipe, job.weights, progress=progress)
    known = read_plan(run / _PLAN)
    threads = environment(job.recipe)["threads"]
    if isinstance(known, Plan):
        if known.threads == threads:
            return gathered, known
        moved = known.model_copy(update={"threads": threads})
        checkpoint.adopt(run / _CHECKPOINTS, plan=known.digest, by=moved.digest)
        write_plan(moved, run / _PLAN)
        return gathered, moved
    budget = job.recipe.time_seconds
    deadline = None if budget is None else job.started + (1 - _PROBING) * budget - _AFTER_SECONDS
    plan = plan_pretext(
        job.recipe,
        gathered.examples,
        lambda draft: _pretext(draft, job, gathered),
        architecture=job.architecture,
        seconds_left=None if deadline is None else lambda: deadline - time.monotonic(),
        progress=progress,
    )
    if job.weights is not None:
        plan = plan.model_copy(
            update={
                "starts_from": job.weights.sha256,
                "reasons": {**start_reasons(job.weights, gathered.preprocess), **plan.reasons},
            }
        )
    write_plan(plan, run / _PLAN)
    progress("plan", 1, 1, plan.reasons["length"])
    return gathered, plan


def _pretext(plan: Plan, job: _Job, gathered: Gathered) -> Pretext:
    initial = None if job.weights is None else _initial(plan, job)
    return pretext.start(plan, job.architecture, gathered.examples, gathered.preprocess, initial=initial)


def _initial(plan: Plan, job: _Job) -> dict[str, Tensor]:
    """Return the state of the network below its head that a plan starts from."""
    assert job.weights is not None
    network = job.architecture.build(**plan.arguments)
    head = f"{head_of(network)[0]}."
    state = fit_to(network, job.weights, apart=job.architecture.expansion)
    return {name: tensor for name, tensor in state.items() if not name.startswith(head)}


def _carried_out(run: Path, job: _Job, gathered: Gathered, plan: Plan) -> PretrainResult:
    """Train as far as that is not done yet, and say what the features are worth."""
    job = replace(job, progress=Logged(job.progress, run / _LOG))
    with settings(plan):
        objective = _pretext(plan, job, gathered)
        probing = Probing.of(
            run, plan, objective.network, gathered, probes=job.recipe.probes, progress=job.progress
        )
        if job.recipe.time_seconds is not None:
            probing.most_seconds = _PROBING * job.recipe.time_seconds
        probing.at(0)
    fitted = fit(
        objective,
        gathered.examples,
        plan,
        checkpoints=run / _CHECKPOINTS,
        watch=probing.at,
        progress=job.progress,
    )
    with settings(plan):
        return _finished(run, job, gathered, fitted, probing, objective)


def _finished(
    run: Path, job: _Job, gathered: Gathered, fitted: Fitted, probing: Probing, objective: Pretext
) -> PretrainResult:
    """Ship the averaged weights, probe them, and report."""
    plan = probing.plan
    objective.network.load_state_dict(fitted.weights)
    objective.eval()
    features = Recognizer(objective.network, plan.model, plan.arguments, gathered.preprocess, classes=())
    recognizers.save(features, run / "model")
    files.write_text(run / "history.jsonl", "".join(json.dumps(row) + "\n" for row in fitted.history))
    rows = [probing.rows[step] for step in sorted(probing.rows)]
    probe = gathered.prober.of(objective.network)
    document = pretrain_document(run, gathered, plan, fitted, probe=probe, rows=rows)
    page = write_pretrain_report(run, document, fitted.history, gathered, objective)
    earlier = fitted.seconds - fitted.seconds_now  # before it was resumed
    document |= clock(job.recipe.time_seconds, time.monotonic() - job.started + earlier)
    files.write_json(run / METRICS, document)
    for folder in (run, run / PROBE):
        shutil.rmtree(folder / STORE, ignore_errors=True)
    return PretrainResult(run, page, document)
