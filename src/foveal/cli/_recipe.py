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
Model = Annotated[
    str | None,
    typer.Option("--model", help="A name from foveal models; default nano, cnn-gru, point or region."),
]
RecipeFile = Annotated[
    Path | None, typer.Option("--recipe", help="TOML file; the other options override it.")
]
Size = Annotated[int | None, typer.Option("--size", help="Side of the input in pixels.")]
Task = Annotated[
    str | None,
    typer.Option(
        "--task",
        help="Where the data leave it open: classify or video; detect, segment, instance or panoptic.",
    ),
]
Frames = Annotated[
    int | None, typer.Option("--frames", min=2, max=64, help="Of a clip that are seen; default 8.")
]
Backbone = Annotated[
    str | None, typer.Option("--backbone", help="What looks at each frame of a clip; default nano.")
]
Images = Annotated[
    int | None,
    typer.Option("--images", min=2, help="Learn from so many of the training images; default all."),
]
Objects = Annotated[
    int | None,
    typer.Option("--objects", min=1, help="Of a picture that a detector gives out at most; default 300."),
]
Things = Annotated[
    str | None,
    typer.Option(
        "--things", help="Of class maps, for panoptic: classes whose objects are counted, such as car,person."
    ),
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
Transfer = Annotated[
    bool | None,
    typer.Option(
        "--transfer/--no-transfer",
        help="Start from weights that were trained on ImageNet; default model efficientnet-lite0.",
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights", "--from", help="Start from these: a file, a folder of timm or Hugging Face, a run."
    ),
]
Normalization = Annotated[
    str | None,
    typer.Option(help="How pictures were normalized for weights that do not say it: imagenet, half or none."),
]
Head = Annotated[
    str | None, typer.Option("--head", help="Of a transfer: linear, or svm with a Gaussian kernel.")
]
Scratch = Annotated[
    bool | None,
    typer.Option(
        "--scratch/--no-scratch",
        help="Measure nano trained from scratch for the same time beside a transfer.",
    ),
]
Objective = Annotated[
    str | None,
    typer.Option("--objective", help="What is learned: adversarial, trades …; default supervised."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--setting", metavar="KEY=VALUE", help="Of the objective; may be given several times."),
]
Unlabelled = Annotated[
    Path | None, typer.Option("--unlabelled", help="Folder or archive of pictures without labels.")
]
Suggest = Annotated[
    int | None,
    typer.Option("--suggest", min=1, help="Say which of --unlabelled, so many, to label next."),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Every random choice follows from it.")]


Attributes = Annotated[
    str | None,
    typer.Option(
        "--attributes", help="What is learned of objects beside their class, such as colour,type; or none."
    ),
]


Resume = Annotated[
    Path | None,
    typer.Option("--resume", help="Go on with this run folder; with --force also elsewhere."),
]


def check_alone(verb: str, data: Path, resume: Path | None, *others: object) -> None:
    """Refuse options beside --resume; None are those that were not given.

    Args:
        verb: The command, as it is typed.
        data: What it is to go on with.
        resume: The run; None: nothing is resumed.
        others: Values of the options that do not go with it.

    Raises:
        UsageError: Some were given.
    """
    if resume is not None and any(value is not None for value in others):
        raise UsageError(
            "--resume goes on with the recipe of its run; of the options only --threads may change",
            hint=f"foveal {verb} {data} --resume {resume}",
        )


def things_of(text: str | None) -> tuple[str, ...] | None:
    """Return the classes that a list with commas names; None: nobody gave one."""
    if text is None:
        return None
    names = tuple(name for name in map(str.strip, text.split(",")) if name)
    if not names:
        raise UsageError("--things names classes, such as car,person")
    return names


def attributes_of(text: str | None) -> tuple[str, ...] | None:
    """Return the attributes that a list with commas names, () for `none`; None: nobody gave one."""
    if text is None or text.strip() == "none":
        return None if text is None else ()
    names = tuple(name for name in map(str.strip, text.split(",")) if name)
    if not names:
        raise UsageError("--attributes names what is said of objects, such as colour,type; or none")
    return names


def settings_of(given: list[str] | None, *, example: str) -> dict[str, float] | None:
    """Return what `--setting` says, or None where it was not given.

    Args:
        given: Each `KEY=VALUE`.
        example: One that the command takes.

    Raises:
        UsageError: Not `KEY=VALUE` with a number.
    """
    if not given:
        return None
    settings = {}
    for one in given:
        key, _, value = one.partition("=")
        try:
            settings[key.strip()] = float(value)
        except ValueError:
            raise UsageError(
                f"--setting takes KEY=VALUE with a number; got {one!r}", hint=f"--setting {example}"
            ) from None
    return settings


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
