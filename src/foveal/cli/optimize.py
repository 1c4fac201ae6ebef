"""`foveal optimize`: the smallest, fastest recognizer that keeps the limits, measured on this machine."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from foveal.cli._backend import Backend, RayAddress, Workers, where_of
from foveal.cli._frame import Device, Json, Quiet, Seed, Verbose, emit
from foveal.cli._progress import progress
from foveal.core import units
from foveal.core.errors import NotFoundError, UsageError
from foveal.core.extras import need
from foveal.core.machine import MOST_THREADS
from foveal.core.text import visible
from foveal.core.units import show_bytes
from foveal.data import listing

if TYPE_CHECKING:
    from rich.console import Console

Number = TypeVar("Number", int, float)

_COLUMNS = "{:<28} {:>17} {:>17} {:>20} {:>8} {:>8} {:>8} {:>9}  {}"


Model = Annotated[
    Path,
    typer.Argument(
        readable=False,
        help="A run folder with a finished training, or a .foveal bundle with pictures or films.",
    ),
]
Data = Annotated[
    list[str] | None,
    typer.Argument(
        help="The run's data; default: where the run found them. With a bundle pictures, or films, without "
        "labels: files, folders, patterns, archives; - for a list on stdin."
    ),
]
MaxLatency = Annotated[
    str | None, typer.Option(help="Median time of one picture or clip on this machine, such as 2ms.")
]
MaxP99 = Annotated[str | None, typer.Option(help="That 99 of 100 answers take at most, such as 5ms.")]
MaxSize = Annotated[str | None, typer.Option(help="Of the bundle, such as 500kB.")]
MaxMemory = Annotated[
    str | None, typer.Option(help="Resident memory of a process that answers, such as 150MB.")
]
MaxDrop = Annotated[
    str, typer.Option(help="Accuracy that may be lost, or answers that may change, such as 1pt.")
]
Aim = Annotated[str, typer.Option(help="What to have the best of: latency, size or accuracy.")]
Time = Annotated[str, typer.Option(help="For the whole search, such as 20m.")]
Engine = Annotated[
    list[str] | None, typer.Option(help="Engines that may run it; repeat it. Default: all that are here.")
]
NoTrain = Annotated[bool, typer.Option("--no-train", help="Only what needs no training; so with a bundle.")]
Again = Annotated[bool, typer.Option("--force", help="Begin anew in a folder that holds a search.")]
OneAnswer = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        max=MOST_THREADS,
        help="That one answer may use. Default: the usual numbers are tried.",
    ),
]
Out = Annotated[
    Path | None, typer.Option(help="Folder to write; default runs/optimize-<name of run or bundle>.")
]


def optimize(
    model: Model,
    data: Data = None,
    max_latency: MaxLatency = None,
    max_p99: MaxP99 = None,
    max_size: MaxSize = None,
    max_memory: MaxMemory = None,
    max_drop: MaxDrop = "1pt",
    aim: Aim = "latency",
    time: Time = "10m",
    engine: Engine = None,
    no_train: NoTrain = False,
    out: Out = None,
    threads: OneAnswer = None,
    force: Again = False,
    backend: Backend = None,
    workers: Workers = None,
    ray_address: RayAddress = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make a trained recognizer smaller and faster within limits; prove it on the file that ships.

    With a bundle and pictures nothing is trained, no label is needed, and changed answers are what counts.
    Of detectors and segmenters accuracy is mAP50, mean IoU or PQ.
    """
    need("train", what="foveal optimize")
    from foveal.optimize.budget import Budget

    budget = Budget(
        latency_seconds=_read("--max-latency", max_latency, units.seconds),
        p99_seconds=_read("--max-p99", max_p99, units.seconds),
        size_bytes=_read("--max-size", max_size, units.size),
        memory_bytes=_read("--max-memory", max_memory, units.size),
        drop=_read("--max-drop", max_drop, units.points) or 0.0,
        seconds=_read("--time", time, units.seconds) or 0.0,
        aim=aim,  # type: ignore[arg-type]  # the budget compares it with the names
    )
    from foveal.flows.optimize import Terms  # here: who mistyped a limit does not wait for torch
    from foveal.flows.optimize import optimize as flow

    where = where_of(backend, workers, ray_address)
    terms = Terms(budget, not no_train, threads, tuple(engine) if engine else None, seed, where)
    named = list(listing.names(data)) if data else None
    if named == []:
        raise NotFoundError(f"nothing in {' '.join(data or ())}", hint="name files, folders or a pattern")
    with progress(quiet=quiet) as tell:
        document = flow(model, named, terms=terms, out=out, force=force, progress=tell)
    emit(
        document,
        as_json=as_json,
        human=lambda console: _show(console, document),
        exit_code=0 if document["ok"] else 10,
    )


def _read(option: str, text: str | None, read: Callable[[str], Number]) -> Number | None:
    """Return a limit as a number, None where there is none; an error names the option."""
    try:
        return None if text is None else read(text)
    except UsageError as error:
        raise UsageError(f"{option}: {error.message}", hint=error.hint) from error


def _show(console: "Console", document: dict[str, Any]) -> None:
    """Print a `foveal.optimize/1` document for people."""
    from foveal.report import optimized_cells as cells
    from foveal.report.optimized_measure import measure_of
    from foveal.report.optimized_words import untried

    measure = measure_of(document)
    times = ("p50 ms", "p99 ms", "cpu ms")
    head = ("variant", f"{measure.name}, %", measure.column, *times, "speed", "size", "runs in")
    console.print(_COLUMNS.format(*head), markup=False)
    for row in sorted(document["variants"], key=lambda row: row["latency_ms"]["p50"]):
        mark = "*" if row["code"] == "recommended" else "·" if row["pareto"] else " "
        latency = row["latency_ms"]
        console.print(
            _COLUMNS.format(
                f"{mark} {visible(row['name'])}",
                _in_percent(row["accuracy"]),
                cells.cost(row),
                cells.span(latency["p50"], latency["p50_low"], latency["p50_high"]),
                f"{latency['p99']:.3g}",
                "–" if row["cpu_ms"]["value"] is None else f"{row['cpu_ms']['value']:.3g}",
                f"{1 / row['time_ratio']['value']:.2f}×" if row["time_ratio"]["real"] else "=",
                show_bytes(row["size_bytes"]),
                f"{row['engine']} {row['computed']} ×{row['threads']}{_said(row)}",
            ),
            markup=False,
        )
    console.print(_legend(document), markup=False)
    console.print(visible(document["verdict"]), markup=False)
    if document["test"] is not None:
        console.print(_proof(document), markup=False)
    for sentence in untried(document):
        console.print(f"not tried {visible(sentence)}", markup=False)
    for name, error in document["failed"].items():
        console.print(f"{visible(name)} could not be made: {visible(error['message'])}", markup=False)
    for warning in document["warnings"]:
        console.print(visible(warning), markup=False)
    if document["bundle"]:
        console.print(f"bundle    {visible(document['bundle'])}", markup=False)
    console.print(f"report    {visible(document['report'])}", markup=False)


def _in_percent(share: dict[str, Any]) -> str:
    low, value, high = (100 * share[key] for key in ("low", "value", "high"))
    return f"{value:.1f} ({low:.1f} to {high:.1f})"


def _legend(document: dict[str, Any]) -> str:
    """Return what the signs mean, and what the numbers rest on."""
    from foveal.core.wording import counted

    first = document["variants"][0]
    pictures, rounds = counted(first["accuracy"]["n"], "picture"), counted(first["time_ratio"]["n"], "round")
    return (
        f"in parentheses 95 % intervals, n={pictures} that chose and {rounds} of timing; "
        "* recommended, · none better in all, = no real difference in speed"
    )


def _proof(document: dict[str, Any]) -> str:
    """Return what was found on pictures that chose nothing."""
    from foveal.report.optimized_measure import measure_of
    from foveal.report.optimized_words import agreement, changed, lost
    from foveal.report.words import measured

    test = document["test"]
    if test["original_accuracy"] is None:
        told = f"agreement {agreement(test)}, changed {changed(test['drop'])}"
        return f"on {test['images']} pictures that chose nothing: {told}"
    name, worth = measure_of(document).name, measured(test["accuracy"])
    return f"on {test['images']} test pictures: {name} {worth}, lost {lost(test['drop'])}"


def _said(row: dict[str, Any]) -> str:
    """Return why a variant is not to be taken, where there is a reason."""
    if row["outside"]:
        return f"  (outside the limit on {', '.join(row['outside'])})"
    if row["code"] == "no_real_gain":
        return "  (no real gain)"
    return f"  (not proven: {', '.join(row['unproven'])})" if row["unproven"] else ""
