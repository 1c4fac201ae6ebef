"""What a stream is asked to do."""

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from foveal.core import catalog, extras, files, runs
from foveal.core.errors import NotFoundError, UnknownNameError, UsageError
from foveal.core.text import printable
from foveal.stream import sinks, sources
from foveal.stream.address import shown
from foveal.stream.options import SinkOptions, SourceOptions
from foveal.stream.outbox import Sink
from foveal.stream.places import Places


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
    if kind not in catalog.names(sinks):
        raise UnknownNameError("sinks", kind, catalog.names(sinks))
    module = importlib.import_module(f"{sinks.__name__}.{kind}")
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


def opened_sinks(plan: Plan) -> list[tuple[str, Sink]]:
    """Return the sinks with their names for people.

    Raises:
        FovealError: One of them refuses.
    """
    found: list[tuple[str, Sink]] = []
    try:
        for text in plan.sinks:
            module, place = sink_of(text)
            make = getattr(module, kind_of(module))
            found.append((shown(text), make(place, plan.sink_options)))
    except BaseException:
        for _, sink in found:
            sink.close()
        raise
    return found
