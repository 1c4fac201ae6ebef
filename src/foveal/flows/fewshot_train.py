"""Learn to tell classes apart after a few pictures of each: divide classes, train, measure, show."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foveal.core import files, runs
from foveal.core.errors import UsageError
from foveal.core.progress import Progress, silent
from foveal.data import class_split, opening
from foveal.flows._environment import compare_environment, environment, write_environment
from foveal.flows._fewshot_data import Classes, prepare_classes
from foveal.flows._fewshot_measure import Pictures, Terms, measured, settle
from foveal.flows._fewshot_page import write_page
from foveal.flows._fewshot_plan import plan_episodes
from foveal.flows._fewshot_run import PLAN, about, save_model
from foveal.flows._log import Logged
from foveal.flows._run_folder import (
    METRICS,
    RECIPE,
    Command,
    bundle_name,
    start,
    undone_if_refused,
)
from foveal.train import checkpoint, ranks
from foveal.train.episodic import _method
from foveal.train.episodic._episodic import Episodic
from foveal.train.episodic._recipe import FewshotRecipe, read_fewshot_recipe
from foveal.train.fit_plan import FitPlan
from foveal.train.loop import fit, settings
from foveal.train.plan import Plan, read_plan, write_plan

SCHEMA = "foveal.fewshot/1"
REPORT, HISTORY = "report.html", "history.jsonl"
_CHECKPOINTS, _LOG = "checkpoints", "log.txt"


@dataclass(frozen=True)
class FewshotResult:
    """What a few-shot training left behind.

    Attributes:
        run: The run folder.
        document: The `foveal.fewshot/1` document, also in `metrics.json`.
    """

    run: Path
    document: dict[str, Any]


def train(
    data: str | Path,
    *,
    recipe: FewshotRecipe | None = None,
    out: Path | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> FewshotResult:
    """Learn from tasks of a few classes each, and measure on classes that were kept apart.

    Args:
        data: Anything `foveal check` recognizes; it is only read.
        recipe: What the user wants; None: all defaults.
        out: Run folder; None: `runs/fewshot-<n>`.
        force: Replace a run that is in the folder.
        progress: Told about every stage.

    Raises:
        DataError: Too few classes or pictures.
        RecipeError, UnknownNameError: The recipe cannot be carried out.
        UsageError: The data are clips, or several ranks were started.
        WriteError: The run folder cannot be written, holds something else than a run, or lies in the data.
    """
    recipe = recipe or FewshotRecipe()
    _method.usual(recipe.method)  # a slip of the pen leaves nothing behind
    runs.keep_apart(out, *opening.places(data))
    command = Command(bundle_name(Path(data)), data=str(Path(data).absolute()))
    with ranks.joined() as team:
        if team.size > 1:
            raise UsageError("few-shot tasks are not shared among ranks", hint="start it without torchrun")
    made = out is None or not files.is_there(out)
    run = runs.new_run("fewshot", out=out, force=force)
    with runs.locked(run):
        with undone_if_refused(run, started=True, made=made):
            start(run, recipe, command, environment(recipe))
            runs.mark_last(run)
            classes, plan = _decide(run, recipe, data, progress)
        return _carried_out(run, recipe, classes, plan, progress)


def resume(
    run: str | Path,
    data: str | Path,
    *,
    threads: int | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> FewshotResult:
    """Go on with a run that was stopped or killed; it ends in the weights that it would have ended in.

    Args:
        run: The run folder, or `runs/last`.
        data: The data it was started with, wherever they are now.
        threads: From now on; None: as many as before.
        force: Go on elsewhere or with other versions, where the last digits will differ.
        progress: Told about every stage.

    Raises:
        NotFoundError: No run there.
        RecipeError: It is no few-shot run.
        DataError: The data changed since.
        TemporaryError: Another process is working on the run.
        UsageError: This is another machine, number of threads, or version, and `force` is off.
    """
    run = runs.find(run)
    recipe = read_fewshot_recipe(run / RECIPE)
    if threads is not None:
        recipe = recipe.model_copy(update={"threads": threads})
    runs.keep_apart(run, *opening.places(data))
    with runs.locked(run):
        moved = compare_environment(run, environment(recipe), force=force)
        with undone_if_refused(run, started=False, made=False):
            runs.mark_last(run)
            classes, plan = _decide(run, recipe, data, progress)
            if moved is not None:
                write_environment(run, moved)
        return _carried_out(run, recipe, classes, plan, progress)


def _decide(run: Path, recipe: FewshotRecipe, data: str | Path, progress: Progress) -> tuple[Classes, Plan]:
    """Read the data and plan the training, as far as that is not done yet."""
    progress = Logged(progress, run / _LOG)
    threads = environment(recipe)["threads"]
    classes = prepare_classes(opening.open_labelled(data), run, recipe, threads=threads, progress=progress)
    plan = read_plan(run / PLAN)
    if plan is None or isinstance(plan, FitPlan):
        plan = plan_episodes(recipe.model_copy(update={"threads": threads}), classes)
        write_plan(plan, run / PLAN)
    elif plan.threads != threads:
        moved = plan.model_copy(update={"threads": threads})
        checkpoint.adopt(run / _CHECKPOINTS, plan=plan.digest, by=moved.digest)
        write_plan(moved, run / PLAN)
        plan = moved
    return classes, plan


def _carried_out(
    run: Path, recipe: FewshotRecipe, classes: Classes, plan: Plan, progress: Progress
) -> FewshotResult:
    progress = Logged(progress, run / _LOG)
    begun = time.monotonic()
    examples = classes.examples("fit")
    with settings(plan):
        objective = _method.begin(plan, classes.preprocess)
    fitted = fit(objective, examples, plan, checkpoints=run / _CHECKPOINTS, progress=progress)
    with settings(plan):
        objective.deployable().load_state_dict(fitted.weights)
        settle(objective, examples.images, examples.indices, seed=plan.seed)
        names = {
            role: class_split.classes_of(classes.dataset, classes.split.role(role))
            for role in class_split.ROLES
        }
        save_model(run, objective, plan, names["fit"])
        lines = "".join(json.dumps(row) + "\n" for row in fitted.history)
        files.write_text(run / HISTORY, lines)
        found = {
            name: _measured_on(classes, role, objective, plan, recipe, progress)
            for name, role in (("val", "calib"), ("test", "test"))
        }
    document = {
        "schema": SCHEMA,
        "ok": True,
        "action": "train",
        "run": str(run),
        **about(plan, objective),
        "data": {
            "path": str(classes.dataset.path),
            "format": classes.dataset.format,
            "fingerprint": classes.split.fingerprint,
            "divided_by": classes.split.by,
            "classes": {role: len(found) for role, found in names.items()},
            "pictures": {role: len(classes.split.role(role)) for role in class_split.ROLES},
        },
        "steps": plan.steps,
        "epochs": plan.epochs,
        "train_seconds": fitted.seconds,
        "seconds": fitted.seconds - fitted.seconds_now + time.monotonic() - begun,
        "damaged_checkpoints": list(fitted.passed_over),
        "reasons": plan.reasons,
        "metrics": found,
    }
    write_page(run / REPORT, document, fitted.history, classes, objective)
    files.write_json(run / METRICS, document)  # last: it says that all is there
    return FewshotResult(run, document)


def _measured_on(
    classes: Classes, role: str, objective: Episodic, plan: Plan, recipe: FewshotRecipe, progress: Progress
) -> dict[str, Any] | None:
    """Return what was measured on the classes of a role, or None where there are none."""
    indices = classes.split.role(role)
    if len(indices) == 0:
        return None
    pictures = Pictures(np.asarray(classes.store.images[indices]), classes.store.labels[indices])
    return measured(objective, plan, pictures, terms_of(recipe, objective.steps), progress=progress)


def terms_of(recipe: FewshotRecipe, steps: int) -> Terms:
    """Return what a training measures by itself."""
    more = recipe.test_steps or steps + 2
    return Terms(recipe.way, recipe.shot, steps=more if steps else None)
