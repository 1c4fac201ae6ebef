"""`foveal search evaluate`: how well pictures of one class find each other."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from foveal.cli._frame import Json, Quiet, Seed, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.core.text import visible
from foveal.core.wording import counted


def evaluate(
    backbone: Annotated[str, typer.Argument(metavar="F.index|BACKBONE", help="What makes the features.")],
    data: Annotated[Path, typer.Argument(readable=False, help="Labelled pictures; see foveal check.")],
    model: Annotated[str | None, typer.Option("--model", help="The architecture of bare weights.")] = None,
    size: Annotated[
        int | None, typer.Option("--size", min=8, max=4096, help="Side of the pictures; default 224.")
    ] = None,
    split: Annotated[str | None, typer.Option("--split", help="Only its pictures; default: all.")] = None,
    seed: Seed = 0,
    threads: Threads = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Ask for every labelled picture which others are like it, and count how often that is right."""
    from foveal.flows import search_evaluate
    from foveal.flows.search_index import Backbone

    with progress(quiet=quiet) as tell:
        document = search_evaluate.evaluate(
            Backbone(backbone, model, size), data, split=split, seed=seed, threads=threads, progress=tell
        )
    emit(document, as_json=as_json, human=lambda console: _show(console, document))


def _show(console: Console, document: dict[str, Any]) -> None:
    told = f"{document['queries']:,} queries among {counted(document['images'], 'picture')}"
    console.print(
        f"{visible(document['data'])}: {told} of {counted(document['classes'], 'class')}", markup=False
    )
    table = Table("", "features", "95 % interval", "pixels", box=None)
    for name, one in document["metrics"].items():
        pixels = document["baseline"]["pixels"][name]["value"]
        interval = f"{one['low']:.3f} to {one['high']:.3f}"
        table.add_row(name, f"{one['value']:.3f}", interval, f"{pixels:.3f}")
    console.print(table, markup=False)
    console.print(f"chance: recall_at_1 {document['baseline']['chance']['recall_at_1']:.3f}", markup=False)
    left_out(console, document)


def left_out(console: Console, document: dict[str, Any]) -> None:
    """Print which pictures were not measured on, or make the numbers too good."""
    if document["unusable"]:
        told = counted(document["unusable"], "picture")
        console.print(f"cannot be read: {told}; foveal check says why", markup=False)
    if document["copies"]:
        told = counted(document["copies"], "file")
        console.print(f"left out as copies of others, byte by byte: {told}", markup=False)
    near = document["near_copies"]
    if near["groups"]:
        many = counted(near["pictures"], "picture")
        console.print(f"near copies of each other, which find each other easily: {many}", markup=False)
