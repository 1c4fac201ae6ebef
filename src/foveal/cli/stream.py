"""`foveal stream`: what does the camera see?"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from foveal.core.units import seconds

if TYPE_CHECKING:
    from foveal.stream.outbox import Item
    from foveal.stream.summary import Summary

SCHEMA = "foveal.stream/1"


def stream(
    model: Annotated[
        Path, typer.Argument(readable=False, help="A .foveal bundle, or a run folder that holds one.")
    ],
    source: Annotated[
        str, typer.Argument(help="A film, a folder, camera:0, rtsp://host/path or http://host/path (MJPEG).")
    ],
    sink: Annotated[
        list[str] | None,
        typer.Option(
            "--sink", help="jsonl:FILE, video:FILE.mp4, webhook:URL, mqtt://HOST/TOPIC, rejects:DIR."
        ),
    ] = None,
    max_latency: Annotated[
        str | None,
        typer.Option("--max-latency", help="Such as 100ms: tell nothing that is older; live only."),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Play a film at its own speed, like a camera.")
    ] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Begin a film anew at its end.")] = False,
    existing: Annotated[
        bool, typer.Option("--existing", help="Of a folder, also the pictures that are there already.")
    ] = False,
    duration: Annotated[
        str | None, typer.Option("--time", help="End after so long, such as 90s or 10m.")
    ] = None,
    hold: Annotated[
        int, typer.Option("--hold", min=1, max=10_000, help="Frames in a row that make an event.")
    ] = 5,
    watch: Annotated[
        list[str] | None,
        typer.Option("--watch", help="Only events of this label; several times for several."),
    ] = None,
    give_up: Annotated[
        str | None, typer.Option("--give-up", help="End after so long without a picture from a live source.")
    ] = None,
    timeout: Annotated[
        str, typer.Option("--timeout", help="Silence after which a live source is taken for lost.")
    ] = "10s",
    max_rejects: Annotated[
        int, typer.Option("--max-rejects", min=1, help="Pictures in the folder of rejects, at most.")
    ] = 1000,
    reject_below: Annotated[
        float, typer.Option("--reject-below", min=0, max=1, help="Keep answers below this confidence, too.")
    ] = 0.0,
    allow_remote_sinks: Annotated[
        bool, typer.Option("--allow-remote-sinks", help="Send events to other machines.")
    ] = False,
    monitor: Annotated[
        bool, typer.Option("--monitor", help="Say whether pictures drift from those of the calibration.")
    ] = False,
    scores: Annotated[bool, typer.Option("--scores", help="The probability of every class, too.")] = False,
    as_json: Json = False,
    as_jsonl: Annotated[
        bool, typer.Option("--jsonl", help="One JSON object per frame and event, also on a terminal.")
    ] = False,
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

    One JSON line per frame, with its age; of live pictures the newest wins.
    """
    from foveal.stream.order import Order, SinkOrder
    from foveal.stream.plan import Plan, check

    if as_json and as_jsonl:
        raise UsageError("--json and --jsonl exclude each other")
    plan = Plan(
        Order(source, live=live, loop=loop, existing=existing, timeout_s=seconds(timeout)),
        max_latency_s=_seconds(max_latency),
        hold=hold,
        watch=tuple(watch or ()),
        sinks=tuple(sink or ()),
        sink_order=SinkOrder(
            force=force, allow_remote=allow_remote_sinks, most_rejects=max_rejects, reject_below=reject_below
        ),
        give_up_s=_seconds(give_up),
        time_s=_seconds(duration),
        monitor=monitor,
        seed=seed,
    )
    check(plan)  # before a bundle is read: what is missing is said at once

    from foveal.bundle.locate import locate
    from foveal.bundle.predictor import Predictor
    from foveal.stream.run import run

    bundle = locate(model)
    predictor = Predictor.open(bundle, engine=named(engine), precision=named(precision), threads=threads)
    tell = _nothing if as_json else _people() if sys.stdout.isatty() and not as_jsonl else _lines(scores)
    say = _nothing if quiet else talk
    if monitor:
        say("monitor: frames in a row are alike, so expect alarms without cause (docs/monitor.md)")
    with stopping() as stop:
        summary = run(predictor, plan, tell=tell, say=say, stop=stop.event)
    exit_code = _exit_code(summary)
    if as_json:
        about = {"source": plan.shown, "bundle": str(bundle), "digest": predictor.digest}
        ran = {"engine": predictor.session.engine, "precision": predictor.precision}
        ended = {"ended": stop.how or "end"}
        print_json({"schema": SCHEMA, "ok": exit_code == 0, **about, **ran, **ended, **summary.as_json()})
    if stop.how is not None:
        raise Stopped(stop.how)
    if exit_code:
        raise typer.Exit(exit_code)


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
    from foveal.stream.shown import Shown

    last: str | None = None

    def write(item: "Item") -> None:
        nonlocal last
        if not isinstance(item, Shown):
            return
        answer = item.answer
        if isinstance(answer, Unreadable):
            words = f"– {answer.error.code}"
        else:
            words = "unknown" if answer.unknown else f"{visible(answer.label)}{'?' if answer.abstain else ''}"
        if words != last:
            sure = "" if isinstance(answer, Unreadable) else f"{answer.confidence:.1%}"
            print(f"{item.time_s:9.2f} s  {words:<24}  {sure:>6}  {item.age_ms:6.1f} ms", flush=True)
        last = words

    return write
