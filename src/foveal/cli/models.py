"""`foveal models`: what can be trained, and what one of them costs."""

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from foveal.cli._frame import Json, Quiet, Verbose, emit
from foveal.core.extras import need
from foveal.core.units import show_bytes, show_seconds
from foveal.core.wording import counted


def models(
    size: Annotated[
        int, typer.Option(min=16, help="Side of the input that parameters are counted for.")
    ] = 32,
    classes: Annotated[int, typer.Option(min=2, help="Classes that parameters are counted for.")] = 10,
    channels: Annotated[int, typer.Option(min=1, help="Channels that parameters are counted for.")] = 3,
    cost: Annotated[
        str | None, typer.Option(metavar="NAME", help="Say what one answer of this one costs instead.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """List what foveal train --model knows, or say what one answer of a model costs on this machine."""
    need("train")
    if cost is not None:
        from foveal.flows.model_cost import model_cost

        document = model_cost(cost, size=size, channels=channels, classes=classes)
        emit(document, as_json=as_json, human=lambda console: _show_cost(console, document))
        return
    from foveal.models._listing import listing

    rows = listing(channels=channels, classes=classes, size=size)
    document = {"schema": "foveal.models/1", "ok": True, "models": rows}
    emit(document, as_json=as_json, human=lambda console: _show(console, rows))


def _show(console: Console, rows: list[dict[str, Any]]) -> None:
    """Print a block for each family: when to choose it and its source, then its members."""
    for family in dict.fromkeys(row["family"] for row in rows):
        members = [row for row in rows if row["family"] == family]
        for said in dict.fromkeys((row["summary"], row["source"]) for row in members):
            console.print(f"{family}: {said[0]} ({said[1]})", soft_wrap=True)
            table = Table("name", "parameters", box=None, show_header=False, pad_edge=True)
            for row in members:
                if (row["summary"], row["source"]) == said:
                    table.add_row(f"  {row['name']}", _count(row))
            console.print(table)
    console.print("Each in full, with what its members cost: docs/models/README.md")


def _count(row: dict[str, Any]) -> str:
    if row["parameters"] is not None:
        return f"{row['parameters']:,} parameters"
    return "by the name that timm gives it" if row["name"] == "timm:NAME" else "parameters by the data"


def _show_cost(console: Console, document: dict[str, Any]) -> None:
    from foveal.report import roofline_words

    found, roof = document["cost"], document["roofline"]
    console.print(
        f"{found['name']}, one picture of {found['size']} × {found['size']} × {found['channels']}, "
        f"{found['classes']} classes: {found['parameters']:,} parameters, "
        f"{found['macs'] / 1e9:,.4g} G multiply-adds, weights {show_bytes(found['weight_bytes'])}"
    )
    table = Table(
        "layers", "G multiply-adds", "weights", "read and written", "multiply-adds a byte", box=None
    )
    for row in [*found["layers"], {**found, "kind": "all"}]:
        moved = row["weight_bytes"] + row["activation_bytes"]
        table.add_row(
            row["kind"],
            f"{row['macs'] / 1e9:,.4g}",
            show_bytes(row["weight_bytes"]),
            show_bytes(row["activation_bytes"]),
            f"{row['macs'] / max(1, moved):.3g}",
        )
    console.print(table)
    console.print(f"maps that must be there at once: {show_bytes(found['peak_activation_bytes'])}")
    for row in roof["bounds"]:
        console.print(
            f"{row['precision']} with {counted(row['threads'], 'thread')}: at least "
            f"{show_seconds(row['bound_ms'] / 1e3)}, layer by layer {show_seconds(row['layers_ms'] / 1e3)}"
        )
    console.print(f"this machine: {roofline_words.peaks(roof)}")
