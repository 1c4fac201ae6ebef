"""The options of every command that trains, and the recipe they make."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foveal.core import units
from foveal.core.errors import UsageError

if TYPE_CHECKING:
    from foveal.train.recipe import Recipe

Data = Annotated[
    Path, typer.Argument(readable=False, help="Folder, zip, tar or IDX files; see foveal check.")
]
Model = Annotated[str | None, typer.Option("--model", help="A name from foveal models; default nano.")]
RecipeFile = Annotated[
    Path | None, typer.Option("--recipe", help="TOML file; the other options override it.")
]
Size = Annotated[int | None, typer.Option("--size", help="Side of the input in pixels.")]
Images = Annotated[
    int | None,
    typer.Option("--images", min=2, help="Learn from so many of the training images; default all."),
]
Epochs = Annotated[float | None, typer.Option("--epochs", help="Passes over the training images.")]
Time = Annotated[
    str | None,
    typer.Option("--time", help="Budget of the training with all that belongs to it, such as 90s or 5m."),
]
Baseline = Annotated[
    bool | None,
    typer.Option("--baseline/--no-baseline", help="Measure a cheap baseline beside a network."),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Every random choice follows from it.")]


def recipe_of(file: Path | None, wishes: Mapping[str, object], *, time: str | None) -> "Recipe":
    """Return the recipe of a file, or the default one, with what options say instead.

    Args:
        file: `--recipe`.
        wishes: Fields of the recipe; None leaves one as it is.
        time: `--time`; not together with epochs.

    Raises:
        UsageError: Two lengths.
        RecipeError: The file holds no recipe, or a value is out of its range.
    """
    from foveal.train.recipe import Recipe, read_recipe

    if time is not None and wishes.get("epochs") is not None:
        raise UsageError("--time and --epochs are two lengths; give one")
    seconds = None if time is None else units.seconds(time)
    return (read_recipe(file) if file else Recipe()).changed(**{**wishes, "time_seconds": seconds})
