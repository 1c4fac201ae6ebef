"""`foveal train`: from labelled pictures to a proven recognizer."""

from pathlib import Path
from typing import Annotated

import typer

from foveal.cli._frame import Device, Force, Group, Json, Out, Quiet, Strict, Threads, Verbose, emit, speaks
from foveal.cli._progress import progress
from foveal.cli._trained import show
from foveal.core import units
from foveal.core.errors import UsageError
from foveal.core.extras import need


def train(
    data: Annotated[
        Path, typer.Argument(readable=False, help="Folder, zip, tar or IDX files; see foveal check.")
    ],
    model: Annotated[str | None, typer.Option(help="A name from foveal models; default nano.")] = None,
    recipe: Annotated[Path | None, typer.Option(help="TOML file; options below override it.")] = None,
    size: Annotated[int | None, typer.Option(help="Side of the input in pixels.")] = None,
    images: Annotated[
        int | None, typer.Option(min=2, help="Learn from so many of the training images; default all.")
    ] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the training images.")] = None,
    time: Annotated[str | None, typer.Option(help="Budget for everything, such as 90s or 5m.")] = None,
    baseline: Annotated[
        bool | None,
        typer.Option("--baseline/--no-baseline", help="Measure a cheap baseline beside a network."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this run folder; with --force also elsewhere.")
    ] = None,
    group: Group = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Every random choice follows from it.")] = None,
    device: Device = "auto",
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
    from foveal.flows.train import resume as resume_flow
    from foveal.flows.train import train as train_flow
    from foveal.train.recipe import Recipe, read_recipe

    if time is not None and epochs is not None:
        raise UsageError("--time and --epochs are two lengths; give one")
    wishes = {
        "model": model,
        "size": size,
        "images": images,
        "group": group,
        "epochs": epochs,
        "time_seconds": None if time is None else units.seconds(time),
        "seed": seed,
        "baseline": baseline,
    }
    if resume is not None and (strict or any(v is not None for v in (*wishes.values(), recipe, out))):
        raise UsageError(
            "--resume goes on with the recipe of its run; of the options only --threads may change",
            hint=f"foveal train {data} --resume {resume}",
        )
    chosen = (read_recipe(recipe) if recipe else Recipe()).changed(**wishes, threads=threads)
    with progress(quiet=quiet or not speaks()) as report:
        if resume is not None:
            result = resume_flow(resume, data, threads=threads, force=force, progress=report)
        else:
            result = train_flow(data, recipe=chosen, out=out, strict=strict, force=force, progress=report)
    if not speaks():
        return  # another rank tells the same
    emit(
        result.document,
        as_json=as_json,
        human=lambda console: show(console, result),
        exit_code=0 if result.document["ok"] else 10,
    )
