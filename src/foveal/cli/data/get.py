"""`foveal data get`: a small real data set to try things on; the only command that downloads."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from foveal.cli._frame import Json, Quiet, Verbose, emit
from foveal.cli._progress import progress


def get(
    name: Annotated[str | None, typer.Argument(help="Which; without it, what there is.")] = None,
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Where to; default data/<name>.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Lay a small real data set out, from the machine where it is installed, else downloaded and verified."""
    from foveal.flows import data_get as flow

    if name is None:
        rows = flow.offered()
        document = {"schema": "foveal.data/1", "ok": True, "action": "get", "offered": rows}
        emit(document, as_json=as_json, human=lambda console: _list(console, rows))
        return
    with progress(quiet=quiet) as tell:
        document = flow.get(name, folder, progress=tell)
    emit(document, as_json=as_json, human=lambda console: _show(console, document))


def _list(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table("name", "what", "from", box=None)
    for row in rows:
        table.add_row(row["name"], row["about"], row["from"])
    console.print(table)


def _show(console: Console, document: dict[str, Any]) -> None:
    console.print(f"{document['name']} is in {document['out']} ({document['from']})", markup=False)
    console.print(f"next: foveal check {document['out']}", markup=False)
