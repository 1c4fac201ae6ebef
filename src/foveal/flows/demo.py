"""The main job on a small set of real images that is already on the machine: nothing is downloaded."""

from dataclasses import replace
from pathlib import Path

from foveal.core.progress import Progress, silent
from foveal.flows._sample_sets import has_fashion_mnist, lay_out
from foveal.flows.train import TrainResult, train
from foveal.train.recipe import Recipe

SCHEMA = "foveal.demo/1"
# Enough to see what it can do, not the best it can do. A budget of passes cannot be too short.
_LENGTH: dict[str, dict[str, float]] = {"fashion-mnist": {"time_seconds": 120.0}, "digits": {"epochs": 12.0}}


def demo(
    name: str | None = None,
    *,
    folder: Path | None = None,
    recipe: Recipe | None = None,
    out: Path | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> TrainResult:
    """Lay out a data set and train on it; the document is that of a training plus `data`.

    Args:
        name: `fashion-mnist` or `digits`; None takes the first that the machine has.
        folder: Where to lay the data out; None: `demo/<name>`.
        recipe: As for `train`; without epochs and time it is kept to about two minutes.
        out: Run folder; None: `runs/train-<n>`.
        force: Replace a run that is in the folder.
        progress: Told about every stage.

    Raises:
        UnknownNameError: No such data set.
        NotFoundError: Fashion-MNIST is not installed.
        WriteError: `folder` holds something else, or cannot be written.
    """
    name = name or ("fashion-mnist" if has_fashion_mnist() else "digits")
    data = lay_out(name, folder or Path("demo") / name)
    recipe = recipe or Recipe()
    if recipe.epochs is None and recipe.time_seconds is None:
        recipe = recipe.changed(**_LENGTH[name])
    result = train(data, recipe=recipe, out=out, force=force, progress=progress)
    return replace(result, document={**result.document, "schema": SCHEMA, "data": str(data)})
