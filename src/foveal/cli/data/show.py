"""`foveal data show`: pictures of every class and split on one page."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from foveal.cli._frame import Force, Group, Json, Quiet, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli._recipe import Task, Things, things_of
from foveal.core.extras import need
from foveal.core.text import visible


def show(
    data: Annotated[Path, typer.Argument(readable=False, help="Data to look at; see foveal check.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="HTML page to write; it holds some of the pictures.")
    ] = None,
    layout: Annotated[str | None, typer.Option("--format", help="Layout; default: found out.")] = None,
    task: Task = None,
    things: Things = None,
    group: Group = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Count the pictures of every class and split, and show some of each."""
    from foveal.data import opening
    from foveal.flows import data_show as flow
    from foveal.flows._page import check_page

    if out is not None:
        need("train", what="the HTML page")
        check_page(out, data, force=force)
    dataset = opening.open(data, layout, group, task, things_of(things) or ())
    with progress(quiet=quiet) as tell:
        shown = flow.show(dataset, progress=tell)
    if out is not None:
        flow.write_page(shown, out)
    emit(shown.document, as_json=as_json, human=lambda console: _show(console, shown.document, out))


def _show(console: Console, document: dict[str, Any], page: Path | None) -> None:
    splits = list(document["splits"])
    console.print(
        f"{document['images']} pictures of {len(document['classes'])} classes in {document['format']}",
        markup=False,
    )
    what = [key for key in ("objects", "pixels") if any(key in row for row in document["per_class"])]
    table = Table("class", *what, *(name or "pictures" for name in splits), box=None)
    for row in document["per_class"]:
        there = ["-" if row[key] is None else row[key] for key in what]
        counts = [*there, *(row["splits"].get(name, 0) for name in splits)]
        table.add_row(visible(row["class"]), *map(str, counts))
    console.print(table, markup=False)
    if page is not None:
        console.print(f"page        {page}", markup=False)
