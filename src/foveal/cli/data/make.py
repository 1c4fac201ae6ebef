"""`foveal data make`: drawn pictures of which everything is known."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from foveal.cli._frame import Json, Quiet, Seed, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli._recipe import Task


def make(
    name: Annotated[str | None, typer.Argument(help="Which scene; without it, what there is.")] = None,
    out: Annotated[
        Path | None,
        typer.Argument(metavar="DIR|FILM.mp4", help="Folder, or film, to write; default data/<name>."),
    ] = None,
    pictures: Annotated[
        int | None, typer.Option("--pictures", min=1, max=100_000, help="How many pictures, or frames.")
    ] = None,
    size: Annotated[
        int | None,
        typer.Option("--size", min=64, max=8192, help="Longer side in pixels; a larger picture shows more."),
    ] = None,
    task: Task = None,
    seed: Seed = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Draw a synthetic data set, or film, with exact annotations; it shows nothing real."""
    from foveal.flows import data_make as flow

    if name is None:
        rows = flow.offered()
        document = {"schema": flow.SCHEMA, "ok": True, "action": "make", "offered": rows}
        emit(document, as_json=as_json, human=lambda console: _list(console, rows))
        return
    wishes = flow.Wishes(pictures, size, task, seed)
    with progress(quiet=quiet) as tell:
        made = flow.make(name, out, wishes, progress=tell)
    emit(made, as_json=as_json, human=lambda console: _show(console, made))


def _list(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table("name", "what", "for", box=None)
    for row in rows:
        tasks = [*row["tasks"], *(["a film"] if row["film"] else [])]
        table.add_row(row["name"], row["about"], ", ".join(tasks))
    console.print(table)


def _show(console: Console, document: dict[str, Any]) -> None:
    size, out = f"{document['width']} × {document['height']}", document["out"]
    if "truth" not in document:
        console.print(f"{document['images']} synthetic pictures of {size} in {out}", markup=False)
        task = "" if document["task"] == "classify" else f" --task {document['task']}"
        console.print(f"next: foveal check {out}{task}", markup=False)
        return
    crossed = document["crossed"]
    console.print(f"{document['images']} synthetic frames of {size} in {out}", markup=False)
    console.print(
        f"{crossed['to_right']['value']} cross to the right, {crossed['to_left']['value']} to the left: "
        f"{document['truth']}",
        markup=False,
    )
    console.print(f"next: foveal stream BUNDLE {out} --anchor middle --line {document['line']}", markup=False)
