"""`foveal inspect run`: what becomes of each part?"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foveal.cli._frame import (
    Device,
    Engine,
    Force,
    Json,
    Precision,
    Quiet,
    Stopped,
    Verbose,
    named,
    print_json,
    talk,
)
from foveal.cli._stopping import stopping
from foveal.core.errors import UsageError
from foveal.core.machine import MOST_THREADS
from foveal.core.text import visible
from foveal.core.units import seconds

if TYPE_CHECKING:
    from foveal.station.summary import Summary

Model = Annotated[
    Path, typer.Argument(readable=False, help="A .foveal bundle with thresholds, or a run folder with one.")
]
Source = Annotated[
    str,
    typer.Argument(help="A folder, a data set of pairs, a film, camera:0, rtsp://… or http://… (MJPEG)."),
]
Log = Annotated[Path, typer.Option("--log", help="Folder of the audit log, which is made or gone on with.")]
Template = Annotated[
    Path | None,
    typer.Option("--template", help="Of a recognizer of pairs: what all are compared with."),
]
Templates = Annotated[
    Path | None,
    typer.Option("--templates", help="A folder of them: each is for pictures whose names begin as its own."),
]
Lot = Annotated[str | None, typer.Option("--lot", help="What the parts belong to; noted in every record.")]
MaxLatency = Annotated[
    str | None,
    typer.Option("--max-latency", help="Such as 50ms: undecided by then is review. Cameras: 1s, else none."),
]
Sinks = Annotated[
    list[str] | None, typer.Option("--sink", help="webhook:URL, jsonl:FILE, mqtt://HOST/TOPIC; several.")
]
Once = Annotated[
    bool, typer.Option("--once/--watch", help="Of a folder: end with what is there, or wait for more.")
]
Time = Annotated[str | None, typer.Option("--time", help="End after so long, such as 90s or 10m.")]
Timeout = Annotated[str, typer.Option("--timeout", help="Silence after which a camera is taken for lost.")]
GiveUp = Annotated[
    str | None, typer.Option("--give-up", help="End after so long without the camera or the folder.")
]
Remote = Annotated[bool, typer.Option("--allow-remote-sinks", help="Send decisions to other machines.")]
Jsonl = Annotated[bool, typer.Option("--jsonl", help="One JSON object per decision, also on a terminal.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, max=64, help="Pictures at once; default: one per processor.")
]
OwnThreads = Annotated[
    int, typer.Option("--threads", min=1, max=MOST_THREADS, help="Threads for one picture.")
]


def run(
    model: Model,
    source: Source,
    log: Log,
    template: Template = None,
    templates: Templates = None,
    lot: Lot = None,
    max_latency: MaxLatency = None,
    sink: Sinks = None,
    once: Once = True,
    duration: Time = None,
    timeout: Timeout = "10s",
    give_up: GiveUp = None,
    allow_remote_sinks: Remote = False,
    workers: Workers = None,
    threads: OwnThreads = 1,
    engine: Engine = "auto",
    precision: Precision = "auto",
    device: Device = "auto",
    force: Force = False,
    as_json: Json = False,
    as_jsonl: Jsonl = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Decide of each part by its picture: accept, reject or review.

    Each decision is in the log, and on the disk, before it is told. Killed at any moment, the same line goes
    on.
    """
    from foveal.flows.inspect_run import Wishes, inspect_run
    from foveal.stream.options import SinkOptions

    if as_json and as_jsonl:
        raise UsageError("--json and --jsonl exclude each other")
    wishes = Wishes(
        log,
        template=template,
        templates=templates,
        lot=lot,
        max_latency_s=_seconds(max_latency),
        sinks=tuple(sink or ()),
        sink_options=SinkOptions(force, allow_remote_sinks),
        watch=not once,
        time_s=_seconds(duration),
        timeout_s=seconds(timeout),
        give_up_s=_seconds(give_up),
        workers=workers,
        threads=threads,
        engine=named(engine),
        precision=named(precision),
    )
    tell = None if as_json else _people if sys.stdout.isatty() and not as_jsonl else print_json
    with stopping() as stop:
        document, summary = inspect_run(
            model, source, wishes, tell=tell, say=_nothing if quiet else talk, stop=stop.event
        )
    if as_json:
        print_json({**document, "ended": stop.how or "end"})
    _leave(summary, stop.how)


def _leave(summary: "Summary", how: str | None) -> None:
    """Raise what ends the command with another exit code than 0, if anything does."""
    if how is not None:
        raise Stopped(how)
    if summary.error is not None:
        raise typer.Exit(summary.error.exit_code)


def _seconds(text: str | None) -> float | None:
    return None if text is None else seconds(text)


def _nothing(_: object) -> None:
    """Print nothing."""


def _people(signal: dict[str, Any]) -> None:
    """Print a decision for people."""
    score = "–" if signal["score"] is None else f"{signal['score']:.4g}"
    why = ", ".join([*signal["reasons"], *map(visible, signal["kinds"])])
    print(
        f"{signal['n']:8}  {signal['verdict']:<6}  {score:>9}  {visible(signal['source'])}  {why}", flush=True
    )
