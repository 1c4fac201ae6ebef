"""`foveal build`: from pictures to a folder to hand over, in one line that can be repeated."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foveal.cli._frame import Device, Force, Group, Json, Quiet, Strict, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli._recipe import (
    Baseline,
    Data,
    Epochs,
    Images,
    Model,
    RecipeFile,
    Seed,
    Size,
    Time,
    recipe_of,
)
from foveal.core import units
from foveal.core.extras import need
from foveal.core.text import visible

if TYPE_CHECKING:
    from rich.console import Console


def build(
    data: Data,
    model: Model = None,
    recipe: RecipeFile = None,
    size: Size = None,
    images: Images = None,
    group: Group = None,
    epochs: Epochs = None,
    time: Time = None,
    baseline: Baseline = None,
    seed: Seed = None,
    device: Device = "auto",
    threads: Threads = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write; default runs/build-<name of the data>.")
    ] = None,
    force: Force = False,
    strict: Strict = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Check, train, calibrate, export, evaluate and bench; the same line again goes on where it stopped."""
    need("train")
    from foveal.flows.build import build as flow

    wishes = {
        "model": model,
        "size": size,
        "images": images,
        "group": group,
        "epochs": epochs,
        "baseline": baseline,
        "seed": seed,
        "threads": threads,
    }
    chosen = recipe_of(recipe, wishes, time=time)
    with progress(quiet=quiet) as tell:
        document = flow(data, recipe=chosen, out=out, strict=strict, force=force, progress=tell)
    emit(
        document,
        as_json=as_json,
        human=lambda console: _show(console, document),
        exit_code=0 if document["ok"] else 10,
    )


def _show(console: "Console", document: dict[str, Any]) -> None:
    def line(title: str, text: str) -> None:
        console.print(f"{title:<10}{visible(text)}", markup=False)

    steps = (
        f"{step['name']} {units.show_seconds(step['seconds'])}{' (kept)' if step['status'] == 'kept' else ''}"
        for step in document["steps"]
    )
    line("steps", ", ".join(steps))
    for finding in document["findings"]:
        if finding["severity"] == "warning":
            line("data", finding["message"])
    for sentence in document["verdict"]:
        line("verdict", sentence)
    if document["bundle"] is None:
        line("gate", "failed: the exported file does not decide as the network does; no bundle was written")
    line("report", document["report"])
    if document["bundle"] is not None:
        line("bundle", document["bundle"])
        line("next", f"foveal predict {document['bundle']} PICTURE")
