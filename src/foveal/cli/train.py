"""`foveal train`: from labelled pictures to a proven recognizer."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from foveal.cli._frame import Force, Json, Out, Quiet, Strict, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.core import units
from foveal.core.errors import DeviceError, UsageError
from foveal.core.extras import need

if TYPE_CHECKING:
    from foveal.flows.train import TrainResult


def train(
    data: Annotated[Path, typer.Argument(help="Folder, zip, tar or IDX files; see foveal check.")],
    model: Annotated[str | None, typer.Option(help="A name from foveal models; default nano.")] = None,
    recipe: Annotated[Path | None, typer.Option(help="TOML file; options below override it.")] = None,
    size: Annotated[int | None, typer.Option(help="Side of the input in pixels.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the training images.")] = None,
    time: Annotated[str | None, typer.Option(help="Budget for everything, such as 90s or 5m.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run folder.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Every random choice follows from it.")] = None,
    device: Annotated[str, typer.Option(help="auto or cpu.")] = "auto",
    threads: Threads = None,
    out: Out = None,
    force: Force = False,
    strict: Strict = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train, export, calibrate and measure a recognizer; write run, bundle and report."""
    need("train")
    if device not in ("auto", "cpu"):
        raise DeviceError(f"training runs on the CPU; there is no device {device!r}", hint="--device cpu")
    from foveal.flows.train import resume as resume_flow
    from foveal.flows.train import train as train_flow
    from foveal.train.recipe import Recipe, read_recipe

    wishes = {
        "model": model,
        "size": size,
        "epochs": epochs,
        "time_seconds": None if time is None else units.seconds(time),
        "seed": seed,
        "threads": threads,
    }
    if resume is not None and any(value is not None for value in (*wishes.values(), recipe, out)):
        raise UsageError(
            "--resume goes on with the recipe of its run; leave the other options away",
            hint=f"foveal train {data} --resume {resume}",
        )
    chosen = (read_recipe(recipe) if recipe else Recipe()).changed(**wishes)
    with progress(quiet=quiet) as report:
        if resume is not None:
            result = resume_flow(resume, data, force=force, progress=report)
        else:
            result = train_flow(data, recipe=chosen, out=out, strict=strict, force=force, progress=report)
    emit(
        result.document,
        as_json=as_json,
        human=lambda console: _show(console, result),
        exit_code=0 if result.document["ok"] else 10,
    )


def _show(console: Console, result: "TrainResult") -> None:
    from foveal.report import words

    document, evaluation = result.document, result.evaluation
    console.print(
        f"trained {document['model']} in {units.show_seconds(document['seconds'])}: "
        f"{document['epochs']:.3g} passes, {document['images_per_second']:.0f} images/s"
    )
    for what, reason in document["plan"]["reasons"].items():
        console.print(f"{what:<10}{reason}")
    if evaluation is None:
        parity = document["parity"]
        console.print(
            f"[bold]gate failed[/]: the exported file differs from the network by "
            f"{parity['max_abs_difference']:.2g} and changes {parity['clear_flips']} decisions; "
            "no bundle was written"
        )
        return
    console.print(f"[bold]test[/]      {words.measured(evaluation['metrics']['accuracy'])}")
    for say in (words.against_majority, words.calibration, words.abstention, words.prediction_sets):
        console.print(f"          {say(evaluation)}")
    for sentence in [*words.weak_points(evaluation), *words.unproven(evaluation)]:
        console.print(f"weak      {sentence}")
    if result.bundle is not None:
        console.print(f"report  {result.report}")
        console.print(f"figures {result.run / 'figures'}")
        console.print(f"bundle  {result.bundle}")
        console.print(f"next    foveal predict {result.bundle} PICTURE")
