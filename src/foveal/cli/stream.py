"""`foveal stream`: what does the camera see?"""

import sys
from collections.abc import Callable
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
    Seed,
    Stopped,
    Threads,
    Verbose,
    named,
    print_json,
    talk,
)
from foveal.cli._stopping import stopping
from foveal.core.errors import UsageError
from foveal.core.text import visible
from foveal.core.units import seconds, show_seconds

if TYPE_CHECKING:
    from foveal.bundle.predictor import Predictor
    from foveal.stream.outbox import Item
    from foveal.stream.plan import Plan
    from foveal.stream.summary import Summary

SCHEMA = "foveal.stream/1"


Model = Annotated[
    Path, typer.Argument(readable=False, help="A .foveal bundle, or a run folder that holds one.")
]
Source = Annotated[
    str, typer.Argument(help="A film, a folder, camera:0, rtsp://host/path or http://host/path (MJPEG).")
]
Sinks = Annotated[
    list[str] | None,
    typer.Option("--sink", help="jsonl:FILE, video:FILE.mp4, webhook:URL, mqtt://HOST/TOPIC, rejects:DIR."),
]
MaxLatency = Annotated[str | None, typer.Option(help="Such as 100ms: tell nothing that is older; live only.")]
Live = Annotated[bool, typer.Option("--live", help="Play a film at its own speed, like a camera.")]
Loop = Annotated[bool, typer.Option("--loop", help="Begin a film anew at its end.")]
Existing = Annotated[
    bool, typer.Option("--existing", help="Of a folder, also the pictures that are there already.")
]
Time = Annotated[str | None, typer.Option("--time", help="End after so long, such as 90s or 10m.")]
Hold = Annotated[int, typer.Option(min=1, max=10_000, help="Frames in a row that make an event.")]
Watch = Annotated[
    list[str] | None, typer.Option(help="Only events of this label; several times for several.")
]
GiveUp = Annotated[str | None, typer.Option(help="End after so long without the live source or the folder.")]
Timeout = Annotated[str, typer.Option(help="Silence after which a live source is taken for lost.")]
MaxRejects = Annotated[
    int, typer.Option(min=1, help="Pictures in the folder of rejects, beyond which this stream adds none.")
]
RejectBelow = Annotated[float, typer.Option(min=0, max=1, help="Keep answers below this confidence, too.")]
AllowRemoteSinks = Annotated[
    bool, typer.Option("--allow-remote-sinks", help="Send events to other machines.")
]
Monitor = Annotated[
    bool, typer.Option("--monitor", help="Say whether pictures drift from those of the calibration.")
]
Lines = Annotated[
    list[str] | None,
    typer.Option("--line", help="Count what crosses: NAME=X,Y,X,Y in pixels; several times for several."),
]
Zones = Annotated[
    list[str] | None,
    typer.Option("--zone", help="Count what is inside: NAME=X,Y,X,Y,X,Y…; several times for several."),
]
Anchor = Annotated[
    str, typer.Option(help="Which point of an object counts: bottom (where it stands) or middle.")
]
Tile = Annotated[
    int | None,
    typer.Option("--tile", min=32, help="Of a detector: look at frames in tiles of so many pixels."),
]
Scores = Annotated[bool, typer.Option("--scores", help="The probability of every class, too.")]
Jsonl = Annotated[
    bool, typer.Option("--jsonl", help="One JSON object per frame and event, also on a terminal.")
]


def stream(
    model: Model,
    source: Source,
    sink: Sinks = None,
    max_latency: MaxLatency = None,
    live: Live = False,
    loop: Loop = False,
    existing: Existing = False,
    duration: Time = None,
    hold: Hold = 5,
    watch: Watch = None,
    give_up: GiveUp = None,
    timeout: Timeout = "10s",
    max_rejects: MaxRejects = 1000,
    reject_below: RejectBelow = 0.0,
    allow_remote_sinks: AllowRemoteSinks = False,
    line: Lines = None,
    zone: Zones = None,
    anchor: Anchor = "bottom",
    tile: Tile = None,
    monitor: Monitor = False,
    scores: Scores = False,
    as_json: Json = False,
    as_jsonl: Jsonl = False,
    threads: Threads = None,
    engine: Engine = "auto",
    precision: Precision = "auto",
    device: Device = "auto",
    force: Force = False,
    seed: Seed = 0,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Say what is on the pictures of a film, a camera or a folder, as they come.

    One JSON line per frame, with its age; of live pictures the newest wins. Objects keep their number from
    frame to frame, and are counted at lines and in zones.
    """
    from foveal.stream.options import SinkOptions, SourceOptions
    from foveal.stream.places import Places
    from foveal.stream.plan import Plan, check

    if as_json and as_jsonl:
        raise UsageError("--json and --jsonl exclude each other")
    silence, gone = seconds(timeout), _seconds(give_up)
    plan = Plan(
        SourceOptions(source, live=live, loop=loop, existing=existing, timeout_s=silence, give_up_s=gone),
        max_latency_s=_seconds(max_latency),
        hold=hold,
        watch=tuple(watch or ()),
        places=Places.read(line or (), zone or (), anchor=anchor),
        sinks=tuple(sink or ()),
        sink_options=SinkOptions(force, allow_remote_sinks, max_rejects, reject_below),
        time_s=_seconds(duration),
        monitor=monitor,
        seed=seed,
        tile=tile,
    )
    check(plan)  # before a bundle is read: what is missing is said at once

    from foveal.bundle.locate import locate
    from foveal.bundle.predictor import Predictor

    bundle = locate(model)
    predictor = Predictor.open(bundle, engine=named(engine), precision=named(precision), threads=threads)
    tell = _nothing if as_json else _people() if sys.stdout.isatty() and not as_jsonl else _lines(scores)
    _run(predictor, bundle, plan, tell=tell, say=_nothing if quiet else talk, as_json=as_json)


def _run(
    predictor: "Predictor",
    bundle: Path,
    plan: "Plan",
    *,
    tell: "Callable[[Item], None]",
    say: Callable[[str], None],
    as_json: bool,
) -> None:
    """Answer until it ends, print the document where that is wanted, and leave."""
    from foveal.stream.run import run

    if plan.monitor:
        say("monitor: frames in a row are alike, so expect alarms without cause (docs/monitor.md)")
    with stopping() as stop:
        summary = run(predictor, plan, tell=tell, say=say, stop=stop.event)
    if as_json:
        print_json(_document(summary, plan, bundle, predictor, ended=stop.how or "end"))
    _leave(summary, stop.how)


def _leave(summary: "Summary", how: str | None) -> None:
    """Raise what ends the command with another exit code than 0, if anything does."""
    if how is not None:
        raise Stopped(how)
    if exit_code := _exit_code(summary):
        raise typer.Exit(exit_code)


def _document(
    summary: "Summary", plan: "Plan", bundle: Path, predictor: "Predictor", *, ended: str
) -> dict[str, Any]:
    """Return the contract's document."""
    return {
        "schema": SCHEMA,
        "ok": _exit_code(summary) == 0,
        "source": plan.shown,
        "bundle": str(bundle),
        "digest": predictor.digest,
        "engine": predictor.session.engine,
        "precision": predictor.precision,
        "ended": ended,
        **summary.as_json(),
    }


def _seconds(text: str | None) -> float | None:
    return None if text is None else seconds(text)


def _exit_code(summary: "Summary") -> int:
    """Return 0, or the code of the first sink that failed."""
    return next((sink.error.exit_code for sink in summary.sinks if sink.error is not None), 0)


def _nothing(_: object) -> None:
    """Print nothing."""


def _lines(scores: bool) -> "Callable[[Item], None]":
    from foveal.stream.outbox import line_of

    def write(item: "Item") -> None:
        print_json(line_of(item, scores=scores))

    return write


def _people() -> "Callable[[Item], None]":
    """Return what prints a line whenever the answer is another one."""
    from foveal.bundle.predictor import Unreadable
    from foveal.bundle.rolling import WarmingUp
    from foveal.cli._sightings import said
    from foveal.core.types import Label, Sighting
    from foveal.stream.shown import Shown

    last: str | None = None

    def write(item: "Item") -> None:
        nonlocal last
        if not isinstance(item, Shown):
            return
        answer = item.answer
        if isinstance(answer, WarmingUp):
            words = "warming up"
        elif isinstance(answer, Unreadable):
            words = f"– {answer.error.code}"
        elif isinstance(answer, Sighting):
            counts = [] if item.counted is None else item.counted.words()
            words = "; ".join([said(answer), *counts])
        else:
            words = "unknown" if answer.unknown else f"{visible(answer.label)}{'?' if answer.abstain else ''}"
        if words != last:
            sure = f"{answer.confidence:.1%}" if isinstance(answer, Label) else ""
            age = show_seconds(item.age_ms / 1000)
            print(f"{item.time_s:9.2f} s  {words:<24}  {sure:>6}  {age:>8}", flush=True)
        last = words

    return write
