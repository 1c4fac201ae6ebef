"""Parts with kinds of defects that masks show, or good ones alone with defects that are made up."""

from pathlib import Path

from foveal.core.errors import UsageError
from foveal.core.progress import Progress, silent
from foveal.flows.train import TrainResult, train
from foveal.train.recipe import SYNTHETIC, Recipe


def train_surface(  # noqa: PLR0913 - as `flows.train.train`, and which of the two
    data: str | Path,
    recipe: Recipe | None = None,
    *,
    synthetic: bool = False,
    out: Path | None = None,
    force: bool = False,
    strict: bool = False,
    progress: Progress = silent,
) -> TrainResult:
    """Train `surface` on data about defects, ship it and measure the file; `resume` goes on with it.

    Args:
        data: Anything that opens with the task `defect`.
        recipe: What is wanted beside the task and the objective; None: all as the data suggest.
        synthetic: Learn from good parts alone, with defects that are made up.
        out: Run folder; None: a new one.
        force: Replace what is there.
        strict: Warnings about the data stop it, too.
        progress: Told about every stage.

    Raises:
        UsageError: `other_task`: the recipe is for something else.
        DataError: `no_good_parts`, `no_defects`: nothing to learn one side from; and what `train` raises.
    """
    wanted = recipe or Recipe()
    if wanted.task not in (None, "defect"):
        raise UsageError(f"defects are inspected; the recipe is for {wanted.task}", code="other_task")
    objective = SYNTHETIC if synthetic else None
    wanted = wanted.changed(task="defect", objective=objective)
    return train(data, recipe=wanted, out=out, force=force, strict=strict, progress=progress)
