"""`foveal inspect run`: parts are judged as their pictures come."""

import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from foveal.bundle.inspecting import rule_of
from foveal.bundle.locate import locate
from foveal.bundle.predictor import Predictor
from foveal.core import extras, runs
from foveal.core.errors import NotFoundError, UsageError
from foveal.core.files import is_there
from foveal.core.machine import usable_cpus
from foveal.core.text import printable
from foveal.station.line import Asked, Line
from foveal.station.log import AuditLog
from foveal.station.sender import Sender
from foveal.station.summary import Summary
from foveal.station.taking import Given, from_pairs, from_source, is_live, opened_pairs
from foveal.station.templates import Templates
from foveal.stream.address import shown
from foveal.stream.options import SinkOptions, SourceOptions
from foveal.stream.plan import kind_of, opened_sinks, sink_of, source_of
from foveal.stream.shot import Running

SCHEMA = "foveal.inspect.run/1"
LIVE_LATENCY_S = 1.0


@dataclass(frozen=True)
class Wishes:
    """What is wanted besides bundle and source.

    Attributes:
        log: Folder of the audit log.
        template: Picture that all are compared with.
        templates: Folder with one for each type of part.
        lot: What the parts belong to.
        max_latency_s: From when a picture is there to when its decision is told; None: of a live source
            one second, else no limit.
        sinks: Texts such as `webhook:http://127.0.0.1:8000/parts`.
        sink_options: What all sinks are told.
        watch: Of a folder, go on with pictures that appear.
        time_s: End after so long.
        timeout_s, give_up_s: As of `SourceOptions`.
        workers: Threads that look at pictures; None: one for each processor.
        threads: That one picture is computed with.
        engine, precision: As of `Predictor.open`.
    """

    log: Path
    template: Path | None = None
    templates: Path | None = None
    lot: str | None = None
    max_latency_s: float | None = None
    sinks: tuple[str, ...] = ()
    sink_options: SinkOptions = field(default_factory=SinkOptions)
    watch: bool = False
    time_s: float | None = None
    timeout_s: float = 10.0
    give_up_s: float | None = None
    workers: int | None = None
    threads: int = 1
    engine: str | None = None
    precision: str | None = None


def inspect_run(
    model: Path,
    source: str,
    wishes: Wishes,
    *,
    tell: Callable[[dict[str, Any]], None] | None,
    say: Callable[[str], None],
    stop: threading.Event,
) -> tuple[dict[str, Any], Summary]:
    """Judge the pictures of a source; return the command's document, and what it is made of.

    Args:
        model: A bundle with a rule, or a run that holds one.
        source: A folder, a data set of pairs, a film or a camera.
        wishes: The rest.
        tell: Called with each signal; None: nobody.
        say: Called with lines for people.
        stop: Set by whoever wants it to end.

    Raises:
        FovealError: Options that do not go together; no such bundle or source; a log that is broken, in use
            or cannot be written; a source that was lost.
    """
    _check(source, wishes)
    bundle = locate(model)
    predictor = Predictor.open(
        bundle, engine=wishes.engine, precision=wishes.precision, threads=wishes.threads
    )
    rule, begin = rule_of(predictor), _source(source, wishes, predictor)
    limit, live = wishes.max_latency_s, is_live(SourceOptions(source))
    asked = Asked(
        predictor,
        rule,
        workers=wishes.workers or usable_cpus(),
        max_latency_s=LIVE_LATENCY_S if limit is None and live else limit,
        lot=wishes.lot,
    )
    with ExitStack() as stack:
        log = stack.enter_context(AuditLog(wishes.log))
        if log.cut_bytes:
            say(f"{log.cut_bytes} bytes were cut off the end of the log: a record that was never promised")
        say(f"log {printable(str(wishes.log))}: {log.n:,} records, head {log.head}")
        senders = _senders(wishes, predictor.digest, log, say, stack)
        line = Line(asked, log, senders=senders, tell=tell, say=say)
        try:
            summary = line.run(begin, stop=stop, once=not live, time_s=wishes.time_s)
        finally:
            line.summary.sinks = [sender.close() for sender in senders]
            for words in line.summary.words():
                say(words)
            say(f"head {log.head} of {log.n:,} records")
        document = {
            "schema": SCHEMA,
            "ok": summary.error is None,
            "source": printable(shown(source)),
            "bundle": str(bundle),
            "digest": predictor.digest,
            "engine": predictor.session.engine,
            "precision": predictor.precision,
            "thresholds": {"accept_below": rule.accept_below, "reject_from": rule.reject_from},
            "lot": wishes.lot,
            "max_latency_ms": None if asked.max_latency_s is None else asked.max_latency_s * 1000,
            "log": {
                "folder": str(wishes.log),
                "records": log.n,
                "head": log.head,
                "cut_bytes": log.cut_bytes,
            },
            **summary.as_json(),
        }
    return document, summary


def _check(source: str, wishes: Wishes) -> None:
    """Refuse what cannot be, before anything is opened."""
    module = source_of(source)
    kind, sinks = kind_of(module), [sink_of(text) for text in wishes.sinks]
    if wishes.template is not None and wishes.templates is not None:
        raise UsageError("--template and --templates exclude each other")
    if wishes.watch and kind != "folder":
        raise UsageError("--watch is for folders", hint="leave it out")
    for what, (sink, _) in zip(wishes.sinks, sinks, strict=True):
        if sink.PICTURES:
            raise UsageError(f"--sink {shown(what)} keeps frames, and takes no decision", code="other_sink")
    if kind == "file" and not is_there(Path(source)):
        raise NotFoundError(f"there is no {printable(shown(source))}", path=printable(shown(source)))
    if not module.LIVE:
        here = [Path(place) for sink, place in sinks if sink.LOCAL]
        for place in (wishes.log, *here):
            runs.keep_apart(place, Path(source), hint="name a place elsewhere, beside the pictures")
    for sink, _ in sinks:
        if sink.EXTRA is not None:
            extras.need(sink.EXTRA, what=f"foveal inspect run with {kind_of(sink)}")


def _source(source: str, wishes: Wishes, predictor: Predictor) -> Callable[[Running], Generator[Given]]:
    """Return what begins to read the source; a recognizer of pairs needs a template for each picture."""
    templates = None
    if wishes.template is not None:
        templates = Templates.file(wishes.template)
    elif wishes.templates is not None:
        templates = Templates.folder(wishes.templates)
    module, of_pairs = source_of(source), predictor.preprocess.pair is not None
    if templates is not None and not of_pairs:
        raise UsageError("this recognizer compares with no template", code="other_task", hint="leave it out")
    if of_pairs and templates is None:
        pairs = None if module.LIVE or wishes.watch else opened_pairs(Path(source))
        if pairs is None:
            raise UsageError(
                f"{printable(shown(source))} holds no pairs, and this recognizer compares with a template",
                code="no_template",
                hint="--template FILE, or --templates DIR with one for each type of part",
            )
        return lambda _: from_pairs(pairs)
    if module.EXTRA is not None:
        extras.need(module.EXTRA, what=f"foveal inspect run with {kind_of(module)}")
    options = SourceOptions(
        source,
        existing=kind_of(module) == "folder",
        once=not wishes.watch,
        timeout_s=wishes.timeout_s,
        give_up_s=wishes.give_up_s,
    )
    return partial(from_source, options, templates)


def _senders(
    wishes: Wishes, digest: str, log: AuditLog, say: Callable[[str], None], stack: ExitStack
) -> list[Sender]:
    options = replace(wishes.sink_options, digest=digest, durable=True)
    found = []
    for (name, sink), text in zip(opened_sinks(wishes.sinks, options), wishes.sinks, strict=True):
        found.append(Sender(sink, name, log, key=text, say=say))
    return found
