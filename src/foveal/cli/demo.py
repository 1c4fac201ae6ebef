"""`foveal demo`: the main job on real images that are already on the machine."""

from pathlib import Path
from typing import Annotated

import typer

from foveal.cli._frame import Device, Force, Json, Out, Quiet, Seed, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli._trained import show
from foveal.core import units
from foveal.core.extras import need


def demo(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Where to lay the data out; default demo/<name>.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="fashion-mnist or digits; default the first that is here.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="Budget for everything, such as 90s or 5m.")] = None,
    seed: Seed = 0,
    threads: Threads = None,
    device: Device = "auto",
    out: Out = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train on Fashion-MNIST or handwritten digits and show what comes out; downloads nothing."""
    need("train")
    from foveal.flows.demo import demo as demo_flow
    from foveal.train.recipe import Recipe

    recipe = Recipe().changed(
        time_seconds=None if time is None else units.seconds(time), seed=seed, threads=threads
    )
    with progress(quiet=quiet) as report:
        result = demo_flow(data, folder=folder, recipe=recipe, out=out, force=force, progress=report)
    emit(
        result.document,
        as_json=as_json,
        human=lambda console: show(console, result),
        exit_code=0 if result.document["ok"] else 10,
    )
