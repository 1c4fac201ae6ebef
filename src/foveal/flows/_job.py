"""What a training has to do, and its plan: from here on no clock decides anything."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from foveal.core import catalog, machine
from foveal.core.errors import DataError, UsageError
from foveal.core.progress import Progress
from foveal.core.task import SCENE_TASKS
from foveal.data.dataset import Dataset
from foveal.export.rehearsal import rehearse
from foveal.flows._forecast import seconds_after_training
from foveal.flows._kept_weights import head_seconds
from foveal.flows._objective import make_objective
from foveal.flows._origin import start_reasons, transferred
from foveal.flows._prepare import Prepared, Wishes
from foveal.flows._run_folder import Command
from foveal.flows._scenes import planned_scenes, scene_preprocess, seconds_after_scenes
from foveal.flows._transfer import fine_tuning, plan_head, preprocess_for, unfrozen_from
from foveal.flows._transfer_clips import clips_start, plan_reading
from foveal.flows._yardstick import seconds_for
from foveal.models import Architecture
from foveal.models.pretrained._weights import Weights
from foveal.train.fit_plan import FitPlan
from foveal.train.fit_planning import plan_fit
from foveal.train.fitting import is_baseline
from foveal.train.objectives.unfreeze import unfrozen
from foveal.train.plan import Plan, write_plan
from foveal.train.planning import Facts, check_size, plan_training
from foveal.train.ranks import Team
from foveal.train.recipe import Recipe
from foveal.train.starting import structure

PLAN = "plan.json"


@dataclass(frozen=True)
class Job:
    """What a training has to do.

    Attributes:
        recipe: What the user wants; complete once the data are known.
        command: How it was asked for.
        progress: Told about every stage.
        started: When, on the monotonic clock, in seconds.
        team: The processes that train together.
        weights: What it starts from; None: from scratch.
    """

    recipe: Recipe
    command: Command
    progress: Progress
    started: float
    team: Team = field(default_factory=Team)
    weights: Weights | None = None

    @property
    def threads(self) -> int:
        """Of torch, and for decoding."""
        return self.recipe.threads or machine.usable_cpus()

    @property
    def architecture(self) -> Architecture:
        """What builds the network, as a transfer does where it is one."""
        named = self.recipe.architecture
        whole = self.weights is not None and named.task == "classify"
        return transferred(named, self.weights) if whole and self.weights else named

    def wishes(self, dataset: Dataset) -> Wishes:
        """Return what the preparation of the data depends on."""
        recipe, weights = self.recipe, self.weights
        like = None
        if weights is not None:
            of = preprocess_for if dataset.scenes is None else scene_preprocess
            like = of(dataset, recipe, weights)
        return Wishes(
            recipe.size,
            recipe.dividing_seed,
            self.command.strict,
            self.threads,
            images=recipe.images,
            like=like,
            frames=recipe.frames,
        )


def check_ranks(recipe: Recipe, ranks: int) -> None:
    """Refuse what several processes do not do faster than one.

    Raises:
        UsageError: A baseline, a transfer or what says where something is, and more than one rank.
    """
    if ranks > 1 and is_baseline(recipe.architecture.name):
        raise UsageError("a baseline is fitted in one go, by one process; several would not be faster")
    if ranks > 1 and recipe.transfers:
        raise UsageError("a transfer is done by one process; several would not be faster")
    if ranks > 1 and recipe.architecture.task in SCENE_TASKS:
        raise UsageError(
            f"{catalog.spoken(recipe.architecture.name)} is trained by one process: its loss is per object, "
            "and several would each count their own",
            hint="leave --backend, --workers and torchrun out",
        )


def started_from(
    run: Path, job: Job, prepared: Prepared, planned: str | None
) -> tuple[dict[str, Tensor], str]:
    """Return what unfreezing starts from, and its sha256; `planned` is the one that the plan was made for."""
    assert job.weights is not None
    if prepared.dataset.clip is not None:
        found = clips_start(job.recipe, job.weights, prepared), job.weights.sha256
    else:
        found = unfrozen_from(
            run, job.recipe, job.weights, prepared, threads=job.threads, progress=job.progress
        )
    if planned not in (None, found[1]):
        raise DataError(
            f"the weights that {run} goes on from are not those that it was planned with",
            code="damaged",
            hint="train anew",
            path=run,
        )
    return found


def agreed(job: Job, plan: Plan | FitPlan | None) -> Plan | FitPlan:
    """Return the first rank's plan: from here on, all have the same."""
    if isinstance(plan, FitPlan):
        return plan
    return Plan(**job.team.told(None if plan is None else plan.model_dump()))


def plan_of(run: Path, job: Job, prepared: Prepared) -> Plan | FitPlan:
    """Decide all that is open, and write it down: from here on no clock decides."""
    if prepared.dataset.scenes is not None:
        return _written(run, job, _planned_scenes(job, prepared))
    initial, sha256 = started_from(run, job, prepared, None) if job.recipe.unfreezes else (None, None)
    if job.weights is not None and prepared.dataset.clip is not None and not job.recipe.unfreezes:
        plan: Plan | FitPlan = plan_reading(
            run, job.recipe, job.weights, prepared, threads=job.threads, progress=job.progress
        )
    else:
        plan = planned_for(job, prepared, initial, head_seconds(run))
        if isinstance(plan, Plan):
            plan = plan.model_copy(update={"starts_from": sha256})
    return _written(run, job, plan)


def _written(run: Path, job: Job, plan: Plan | FitPlan) -> Plan | FitPlan:
    plan = agreed(job, plan)
    write_plan(plan, run / PLAN)
    job.progress("plan", 1, 1, plan.reasons["length"])
    return plan


def planned_for(
    job: Job, prepared: Prepared, initial: dict[str, Tensor] | None = None, earlier: float = 0.0
) -> Plan | FitPlan:
    """Decide all that is open of a training in steps, of a baseline or of the head of a transfer.

    Args:
        job: What is wanted.
        prepared: The data.
        initial: The state that unfreezing starts from; None: there is nothing to unfreeze.
        earlier: Seconds that features and head of it took.

    Raises:
        RecipeError: The recipe cannot be carried out, or not in the time.
        UsageError, DataError: A builder of the user's own makes no network that can be trained and exported.
    """
    if prepared.dataset.scenes is not None:
        return _planned_scenes(job, prepared)
    learned, classes = prepared.examples("fit"), len(prepared.dataset.classes)
    preprocess = prepared.preprocess
    budget = job.recipe.time_seconds
    deadline = None if budget is None else job.started + budget - seconds_after_training(prepared)
    if is_baseline(job.architecture.name):
        check_size(job.architecture, prepared.preprocess.size)
        left = None if deadline is None else deadline - time.monotonic()
        return plan_fit(job.recipe, learned, prepared.preprocess, classes=classes, seconds=left)
    if job.weights is not None and not job.recipe.unfreezes:
        return plan_head(job.recipe, job.weights, prepared, threads=job.threads)
    form = None
    if not job.architecture.is_tested:  # better to hear of it now than after hours
        form = structure(rehearse(job.architecture, prepared.preprocess, prepared.dataset.classes))
    if deadline is not None:
        deadline -= seconds_for(job.recipe, 0.0)
        if initial is not None and job.recipe.scratch:
            # The network from scratch learns as long as features, head and this training together; but a
            # quarter is left for this one, however long the head took.
            left = max(0.0, deadline - time.monotonic())
            deadline -= min((left + earlier) / 2, 0.75 * left)
    recipe = job.recipe
    if initial is not None and job.weights is not None:
        recipe = fine_tuning(recipe, job.architecture, job.weights, images=len(learned))
    plan = plan_training(
        recipe,
        learned,
        Facts(preprocess.size, preprocess.channels, classes, frames=math.prod(preprocess.shape[:-3])),
        lambda draft: make_objective(unfrozen(draft), job.architecture, prepared, initial=initial),
        seconds_left=None if deadline is None else lambda: job.team.told(deadline - time.monotonic()),
        progress=job.progress,
    )
    started = {} if job.weights is None else start_reasons(job.weights, preprocess)
    return plan.model_copy(update={"structure": form, "reasons": {**started, **plan.reasons}})


def _planned_scenes(job: Job, prepared: Prepared) -> Plan:
    """Decide all that is open of a training that learns where something is."""
    budget = job.recipe.time_seconds
    deadline = None if budget is None else job.started + budget - seconds_after_scenes(prepared)
    return planned_scenes(
        job.recipe,
        prepared,
        weights=job.weights,
        seconds_left=None if deadline is None else lambda: job.team.told(deadline - time.monotonic()),
        progress=job.progress,
    )
