"""`foveal models`: what can be trained, what one of them costs, and which are fast enough here."""

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from foveal.cli._frame import Json, Quiet, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli._recipe import Task
from foveal.core import units
from foveal.core.errors import UsageError
from foveal.core.extras import need
from foveal.core.machine import MOST_THREADS
from foveal.core.units import show_bytes, show_seconds
from foveal.core.wording import counted


def models(
    size: Annotated[
        int | None,
        typer.Option(min=16, help="Side of the input. Default 32; with --recommend, from the pictures."),
    ] = None,
    classes: Annotated[int, typer.Option(min=2, help="Classes that parameters are counted for.")] = 10,
    channels: Annotated[int, typer.Option(min=1, help="Channels that parameters are counted for.")] = 3,
    cost: Annotated[
        str | None, typer.Option(metavar="NAME", help="Say what one answer of this one costs instead.")
    ] = None,
    recommend: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Rank all by measured latency, for pictures like these."),
    ] = None,
    max_latency: Annotated[
        str | None,
        typer.Option(metavar="T", help="With --recommend: the most that one answer may take, such as 5ms."),
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, max=MOST_THREADS, help="With --recommend: threads of one answer.")
    ] = 1,
    time: Annotated[
        str, typer.Option(metavar="T", help="With --recommend: no network is begun after so long.")
    ] = "2m",
    task: Task = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """List what foveal train --model knows, what one of them costs, or which are fast enough here."""
    if cost is not None and recommend is not None:
        raise UsageError("--cost is about one model, --recommend about all", hint="give one of the two")
    if max_latency is not None and recommend is None:
        raise UsageError("--max-latency needs pictures", hint="add --recommend DATA")
    if task is not None and recommend is None:
        raise UsageError("--task is about data", hint="add --recommend DATA")
    limit = None if max_latency is None else units.seconds(max_latency)
    seconds = units.seconds(time)
    need("train")
    if recommend is not None:
        from foveal.flows.recommend import Wanted
        from foveal.flows.recommend import recommend as flow

        with progress(quiet=quiet) as tell:
            document = flow(recommend, Wanted(limit, size, threads, seconds, task), progress=tell)
        emit(
            document,
            as_json=as_json,
            human=lambda console: _show_ranks(console, document["recommend"]),
            exit_code=0 if document["ok"] else 10,
        )
        return
    size = 32 if size is None else size
    if cost is not None:
        from foveal.flows.model_cost import model_cost

        document = model_cost(cost, size=size, channels=channels, classes=classes)
        emit(document, as_json=as_json, human=lambda console: _show_cost(console, document))
        return
    from foveal.models._listing import listing

    with progress(quiet=quiet) as tell:
        rows = listing(channels=channels, classes=classes, size=size, progress=tell)
    document = {"schema": "foveal.models/1", "ok": True, "models": rows}
    emit(document, as_json=as_json, human=lambda console: _show(console, rows, size))


def _show(console: Console, rows: list[dict[str, Any]], size: int) -> None:
    """Print a block for each family: when to choose it and its source, then its members."""
    for family in dict.fromkeys(row["family"] for row in rows):
        members = [row for row in rows if row["family"] == family]
        for said in dict.fromkeys((row["summary"], row["source"]) for row in members):
            console.print(f"{family}: {said[0]} ({said[1]})", soft_wrap=True)
            table = Table("name", "parameters", box=None, show_header=False, pad_edge=True)
            for row in members:
                if (row["summary"], row["source"]) == said:
                    table.add_row(f"  {row['name']}", _count(row, size))
            console.print(table)
    console.print("Each in full, with what its members cost: docs/models/README.md")


def _count(row: dict[str, Any], size: int) -> str:
    if size < row["smallest_size"]:
        return f"takes pictures of {row['smallest_size']} pixels or more"
    if row["parameters"] is not None:
        return f"{row['parameters']:,} parameters"
    return "by the name that timm gives it" if row["name"] == "timm:NAME" else "parameters by the data"


def _show_ranks(console: Console, found: dict[str, Any]) -> None:
    limit, timed = found["max_latency_ms"], [row for row in found["models"] if row["latency_ms"]]
    console.print(
        f"{counted(found['classes'], 'class')}, {found['size']} × {found['size']} × "
        f"{found['channels']}; {found['engine']}, {counted(found['threads'], 'thread')}, random weights"
    )
    table = Table("model", "family", "an answer", "95 %", "graph", "parameters", "", box=None)
    for row in timed:
        p50 = row["latency_ms"]
        ends = " to ".join(
            "?" if end is None else show_seconds(end / 1e3) for end in (p50["low"], p50["high"])
        )
        verdict = "" if limit is None else "fast enough" if row["fits"] else "too slow"
        table.add_row(
            row["name"],
            row["family"],
            show_seconds(p50["value"] / 1e3),
            ends,
            show_bytes(row["size_bytes"]),
            f"{row['parameters']:,}",
            verdict,
        )
    console.print(table)
    for why in dict.fromkeys(row["why_not_measured"] for row in found["models"] if not row["latency_ms"]):
        names = [row["name"] for row in found["models"] if row["why_not_measured"] == why]
        console.print(f"not measured: {', '.join(names)}: {why}")
    for warning in found["warnings"]:
        console.print(f"warning: {warning}")
    if found["chosen"] is None:
        console.print("none is fast enough: give a smaller --size, or make one smaller with foveal optimize")
    else:
        console.print(f"next: {found['next'][0]}")
        for command in found["next"][1:]:
            console.print(f"or, since pictures are few, start from weights that are there: {command}")


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
