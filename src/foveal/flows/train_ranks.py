"""`foveal train --backend`: several processes train as one, and begin again together where one is lost."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from foveal.core import runs
from foveal.core.errors import TemporaryError
from foveal.core.progress import Progress, silent
from foveal.data import opening
from foveal.flows._job import check_ranks
from foveal.flows._rank import Read, mark, result_of
from foveal.flows._where import Where
from foveal.flows.train import TrainResult
from foveal.train.planning import check_recipe
from foveal.train.recipe import Recipe

_ENTRY = "foveal.flows._rank:run"
_RESTARTS = 3


@dataclass(frozen=True)
class Order:
    """What to train, as `flows.train.train` and `flows.train.resume` take it.

    Attributes:
        recipe: What the user wants; with `resume` only its threads count.
        resume: A run to go on with; None: a new one.
        out: Folder of a new run; None: `runs/train-<n>`.
        strict: Warnings of the check stop it.
        force: Replace a run that is in the folder; with `resume` go on elsewhere than it was begun.
    """

    recipe: Recipe = field(default_factory=Recipe)
    resume: Path | None = None
    out: Path | None = None
    strict: bool = False
    force: bool = False


def train_ranks(data: str | Path, order: Order, *, where: Where, progress: Progress = silent) -> TrainResult:
    """Train as `flows.train.train` does, or go on with a run, in several processes of a backend.

    Where a process or its machine is lost, all begin again from the last checkpoint, three times at most; the
    result is the same to the last bit. On several machines data and run lie on a disk that all of them see
    under the same path.

    Args:
        data: As for `train`.
        order: What to train.
        where: The backend, and how many processes.
        progress: Told about every stage of the first process.

    Raises:
        TemporaryError: Processes were lost again and again (`rank_lost`), or found no room (`no_worker`).
        FovealError: What `train` and `resume` raise.
    """
    recipe, run = order.recipe, order.out if order.resume is None else runs.find(order.resume)
    check_recipe(recipe)
    check_ranks(recipe, where.workers or 2)
    runs.keep_apart(run, *opening.places(data))
    with where.opened() as (backend, workers):
        made = run is None
        run = (runs.new_run("train") if run is None else run).absolute()  # made, so that nobody else takes it
        told = run.with_name(f".{run.name}.progress")
        spec = {
            "data": str(Path(data).absolute()),
            "run": str(run),
            "recipe": recipe.model_dump(mode="json", exclude_unset=True),  # what is open stays open
            "threads": recipe.threads,
            "strict": order.strict,
            "force": order.force,
            "resume": order.resume is not None,
            "before": mark(run),
            "progress": str(told),
        }
        try:
            with Read(told, progress):
                receipt = backend.group(_ENTRY, spec, world=workers, max_restarts=_RESTARTS)
        except TemporaryError as error:
            if order.resume is not None or mark(run) != spec["before"]:  # what is saved of it is kept
                error.hint = f"{error.hint}; then foveal train {data} --resume {run} goes on"
            raise
        finally:
            if made:
                with suppress(OSError):  # it was refused, and nothing is in it
                    run.rmdir()
    if receipt.outcome == "failed":
        raise receipt.error
    if receipt.outcome == "lost":
        raise TemporaryError(
            f"of {workers} processes that train together one was lost in each of {receipt.attempt} attempts",
            code="rank_lost",
            hint=f"foveal train {data} --resume {run} goes on from the last checkpoint; memory may be short",
            path=run,
        )
    return result_of(receipt.detail)
