"""What a stream is asked to do."""

import importlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType

from foveal.core import catalog, extras, files, runs
from foveal.core.errors import NotFoundError, UnknownNameError, UsageError
from foveal.core.text import printable
from foveal.stream import sinks as kinds
from foveal.stream import sources
from foveal.stream.address import shown
from foveal.stream.options import SinkOptions, SourceOptions
from foveal.stream.outbox import Sink
from foveal.stream.places import Places
from foveal.stream.reconnect import reconnected
from foveal.stream.shot import Running, Shot


@dataclass(frozen=True)
class Plan:
    """All that decides what a stream does, besides the recognizer.

    Attributes:
        source: Which one, and how.
        max_latency_s: Frames that would be older when they are told are not told; None: there is no limit.
        hold: How many frames in a row make a state.
        watch: Labels that events are about; empty: all.
        sinks: Texts such as `jsonl:answers.jsonl`.
        places: Where objects are counted.
        sink_options: What all sinks are told.
        time_s: End after so long; None: at the end of the source.
        monitor: Watch for drift.
        seed: Of what the monitor draws.
        tile: Side of the tiles in pixels that a detector looks at frames in; None: it sees them whole.
    """

    source: SourceOptions
    max_latency_s: float | None = None
    hold: int = 5
    watch: tuple[str, ...] = ()
    sinks: tuple[str, ...] = ()
    places: Places = field(default_factory=Places)
    sink_options: SinkOptions = field(default_factory=SinkOptions)
    time_s: float | None = None
    monitor: bool = False
    seed: int = 0
    tile: int | None = None

    @property
    def shown(self) -> str:
        """The source, for people: without user and password."""
        return printable(shown(self.source.place))


def source_of(place: str) -> ModuleType:
    """Return the file of the kind of source that a text names.

    Raises:
        UsageError: It names none.
    """
    for name in catalog.names(sources):
        module = importlib.import_module(f"{sources.__name__}.{name}")
        if module.is_meant(place):
            return module
    raise UsageError(
        f"{shown(place)!r} is no source of pictures",
        hint="a film, a folder, camera:0, rtsp://host/path or http://host/path (MJPEG)",
    )


def sink_of(text: str) -> tuple[ModuleType, str]:
    """Return the file of a kind of sink and what is to be given to it.

    Raises:
        UnknownNameError: There is no such kind.
        UsageError: There is no colon, or nothing behind it.
    """
    kind, colon, place = text.partition(":")
    if not colon or not place:
        raise UsageError(f"a sink is KIND:PLACE; got {shown(text)!r}", hint="--sink jsonl:answers.jsonl")
    if kind not in catalog.names(kinds):
        raise UnknownNameError("sinks", kind, catalog.names(kinds))
    module = importlib.import_module(f"{kinds.__name__}.{kind}")
    return module, text if place.startswith("//") else place


def kind_of(module: ModuleType) -> str:
    """Return the name of a kind of source or sink, which its function has, too."""
    return module.__name__.rpartition(".")[2]


def check(plan: Plan) -> None:
    """Refuse what cannot be, before anything is opened.

    Raises:
        UsageError: Options that do not go together, or no such source or sink.
        MissingExtraError: A part is not installed.
        NotFoundError: There is no such file or folder.
        WriteError: `inside_data`: a sink would write to the source.
    """
    source = source_of(plan.source.place)
    kind = kind_of(source)
    places = [sink_of(text) for text in plan.sinks]
    for module in (source, *(module for module, _ in places)):
        if module.EXTRA is not None:
            extras.need(module.EXTRA, what=f"foveal stream with {kind_of(module)}")
    if kind == "file" and not files.is_there(Path(plan.source.place)):
        raise NotFoundError(f"there is no {plan.shown}", path=plan.shown)  # before a bundle is read
    if kind != "file" and (plan.source.live or plan.source.loop):
        raise UsageError("--live and --loop are for films", hint="leave them out")
    if kind != "folder" and plan.source.existing:
        raise UsageError("--existing is for folders", hint="leave it out")
    if plan.max_latency_s is not None and not newest_wins(plan):
        raise UsageError(
            "--max-latency is for live pictures: here every picture is answered, however long it takes",
            hint="--live plays a film at its own speed" if kind == "file" else "leave it out",
        )
    if plan.source.give_up_s is not None and kind == "file":
        raise UsageError("--give-up is for cameras, addresses and folders", hint="leave it out")
    if plan.places and kind == "folder":
        raise UsageError("--line and --zone are for films and cameras, not for pictures in a folder")
    for module, place in places:
        if module.LOCAL and kind in ("file", "folder"):
            hint = f"name a place elsewhere: --sink {kind_of(module)}:…"
            runs.keep_apart(Path(place), Path(plan.source.place), hint=hint)


def newest_wins(plan: Plan) -> bool:
    """Return whether a picture that nobody has taken makes room for a newer one."""
    return bool(source_of(plan.source.place).LIVE) or plan.source.live


def shots(options: SourceOptions, running: Running) -> Generator[Shot]:
    """Return the pictures of a source; one that lasts is asked again whenever it is lost.

    Raises:
        UsageError: The text names no source.
    """
    module = source_of(options.place)
    source = partial(getattr(module, kind_of(module)), options, running)
    if not module.LASTING:
        return source()  # type: ignore[no-any-return]
    return reconnected(source, running, give_up_s=options.give_up_s)


def opened_sinks(sinks: Sequence[str], options: SinkOptions) -> list[tuple[str, Sink]]:
    """Return sinks with their names for people.

    Args:
        sinks: Texts such as `jsonl:answers.jsonl`.
        options: What all of them are told.

    Raises:
        FovealError: One of them refuses.
    """
    found: list[tuple[str, Sink]] = []
    try:
        for text in sinks:
            module, place = sink_of(text)
            make = getattr(module, kind_of(module))
            found.append((shown(text), make(place, options)))
    except BaseException:
        for _, sink in found:
            sink.close()
        raise
    return found
