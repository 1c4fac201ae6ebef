"""`foveal models`: what can be trained."""

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from foveal.cli._frame import Json, Quiet, Verbose, emit
from foveal.core.extras import need


def models(
    size: Annotated[
        int, typer.Option(min=16, help="Side of the input that parameters are counted for.")
    ] = 32,
    classes: Annotated[int, typer.Option(min=2, help="Classes that parameters are counted for.")] = 10,
    channels: Annotated[int, typer.Option(min=1, help="Channels that parameters are counted for.")] = 3,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """List the architectures and baselines that foveal train --model knows."""
    need("train")
    from foveal.models._listing import listing

    rows = listing(channels=channels, classes=classes, size=size)
    document = {"schema": "foveal.models/1", "ok": True, "models": rows}
    emit(document, as_json=as_json, human=lambda console: _show(console, rows))


def _show(console: Console, rows: list[dict[str, Any]]) -> None:
    table = Table("name", "family", "kind", "parameters", "source", "choose it when", box=None)
    for row in rows:
        count = "by the data" if row["parameters"] is None else f"{row['parameters']:,}"
        table.add_row(row["name"], row["family"], row["kind"], count, row["source"], row["summary"])
    console.print(table)
