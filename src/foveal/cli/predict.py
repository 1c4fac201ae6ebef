"""`foveal predict`: what is on these pictures?"""

import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from foveal.cli import _answers, _sightings
from foveal.cli._frame import Device, Engine, Json, Precision, Quiet, Threads, Verbose, emit, named, talk
from foveal.core.errors import DataError, NotFoundError, UsageError
from foveal.core.parallel import as_they_come
from foveal.core.task import SCENE_TASKS
from foveal.core.types import Label, Sighting
from foveal.core.units import show_rate, show_seconds
from foveal.data import listing
from foveal.data.suffixes import is_clip, is_picture

if TYPE_CHECKING:
    from foveal.bundle.predictor import Predictor, Unreadable
    from foveal.monitor.collected import Collected

SCHEMA = "foveal.predict/1"
_Any = TypeVar("_Any", bound="Label | Sighting | Unreadable")
_LISTED = 256  # inputs of a list that are read ahead, and answered before more are looked for

Draw = Annotated[
    Path | None, typer.Option("--draw", help="Folder for the pictures with what was found on them.")
]
Tile = Annotated[
    int | None, typer.Option("--tile", min=32, help="Look at large pictures in tiles of so many pixels.")
]
Template = Annotated[
    Path | None,
    typer.Option("--template", help="Picture of a good part, for what compares pictures with one."),
]
Monitor = Annotated[
    bool, typer.Option("--monitor", help="Say whether they look like the pictures of the calibration.")
]


def predict(
    model: Annotated[
        Path, typer.Argument(readable=False, help="A .foveal bundle, or a run folder that holds one.")
    ],
    inputs: Annotated[list[str], typer.Argument(help="Files, folders, patterns; - for a list on stdin.")],
    as_json: Json = False,
    as_jsonl: Annotated[bool, typer.Option("--jsonl", help="Print one JSON object per picture.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table for spreadsheets.")] = False,
    null: Annotated[bool, typer.Option("--null", "-0", help="The list on stdin is NUL-separated.")] = False,
    threads: Threads = None,
    engine: Engine = "auto",
    precision: Precision = "auto",
    draw: Draw = None,
    tile: Tile = None,
    template: Template = None,
    monitor: Monitor = False,
    device: Device = "auto",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Say what is on pictures, or in films: label, calibrated confidence, prediction set, abstention.

    Of a detector: what is where, as boxes in pixels of each picture, and how many there are of each class.
    A picture that cannot be read is reported in its place and the rest goes on.
    """
    from foveal.bundle.locate import locate
    from foveal.bundle.predictor import Predictor

    if as_json + as_jsonl + as_csv > 1:
        raise UsageError("--json, --jsonl and --csv exclude each other")
    bundle = locate(model)
    wanted = _wanted(bundle)
    found = listing.paths(inputs, null=null, wanted=wanted)
    listed = "-" in inputs
    # Who writes the list may wait for the first answer before writing the second name.
    first = list(itertools.islice(found, 1 if listed else 2))
    if not first:
        raise _nothing(inputs, wanted)
    # One picture is answered soonest by all processors together, many by each on its own.
    several = listed or len(first) > 1
    predictor = Predictor.open(
        bundle, engine=named(engine), precision=named(precision), threads=1 if several else threads
    )
    if predictor.manifest.task in SCENE_TASKS:
        if monitor:
            raise UsageError("a monitor compares labels; this recognizer says where something is")
        everything = itertools.chain(first, found)
        kept = _template(predictor, template, tile)
        asked = _Scenes(predictor, bundle, threads if several else 1, listed, draw, tile, kept)
        _see(asked, everything, as_json=as_json, lines=as_jsonl, table=as_csv, quiet=quiet)
    _template(predictor, template, None)
    if tile is not None:
        raise UsageError("--tile is for what says where something is; this recognizer gives pictures a class")
    if draw is not None:
        raise UsageError("--draw shows where something is; this recognizer gives pictures a class")
    watcher = _watcher(predictor) if monitor else None
    labels = _Labels(predictor, bundle, threads if several else 1, listed, watcher)
    _label(labels, itertools.chain(first, found), as_json=as_json, lines=as_jsonl, table=as_csv, quiet=quiet)


@dataclass(frozen=True)
class _Labels:
    """What is asked which class pictures have, and how."""

    predictor: "Predictor"
    bundle: Path
    workers: int | None
    listed: bool  # the names come from somebody who may wait for an answer
    watcher: "Collected | None"

    def answers(self, inputs: Iterable[str]) -> Generator[_answers.Answer]:
        """Yield the class of each input."""
        each = partial(self.predictor.predict_each, watch=self.watcher)
        if self.listed:
            return _as_they_come(each, inputs, workers=self.workers)
        return each(inputs, workers=self.workers)


def _label(
    asked: _Labels, inputs: Iterable[str], *, as_json: bool, lines: bool, table: bool, quiet: bool
) -> NoReturn:
    """Print the class of each picture, and end."""
    predictor, watcher = asked.predictor, asked.watcher
    predictions: list[dict[str, Any]] = []
    write = _answers.into(predictions) if as_json else _style(predictor, lines=lines, table=table)
    answers = asked.answers(inputs)
    ran = f"{predictor.session.engine} in {predictor.precision}"
    with closing(answers):  # its threads end before a reader of ours that has gone is told of
        outcomes = _write_all(answers, write, ran=ran, quiet=quiet)
    if watcher is not None and not as_json:
        _tell(watcher.state())
    good = outcomes["ok"] > 0
    exit_code = 0 if good else _exit_code(outcomes)
    if as_json:
        document = {"schema": SCHEMA, "ok": good} | _document(predictor, asked.bundle, predictions, watcher)
        emit(document, as_json=True, human=lambda _: None, exit_code=exit_code)
    raise typer.Exit(exit_code)


@dataclass(frozen=True)
class _Scenes:
    """What is asked where something is, and how."""

    predictor: "Predictor"
    bundle: Path
    workers: int | None
    listed: bool  # the names come from somebody who may wait for an answer
    draw: Path | None
    tile: int | None
    template: bytes | None

    def answers(self, inputs: Iterable[str]) -> "Generator[_sightings.Seen]":
        """Yield what is where on each input; in tiles where that is asked for, beside a template, too."""
        each: Callable[..., Generator[_sightings.Seen]] = self.predictor.see_each
        if self.tile is not None:
            from foveal.bundle.tiled import Tiled

            each = Tiled(self.predictor, self.tile).see_each
        if self.template is not None:
            each = _compared(each, self.template)
        if self.listed:
            return _as_they_come(each, inputs, workers=self.workers)
        return each(inputs, workers=self.workers)


def _template(predictor: "Predictor", template: Path | None, tile: int | None) -> bytes | None:
    """Return the content of the template that pictures are compared with, None where none is needed.

    Raises:
        UsageError: There is one too many, or none where one is needed; or tiles are asked for, too.
    """
    from foveal.bundle.inputs import content

    if predictor.preprocess.pair is None:
        if template is not None:
            raise UsageError("--template is for what compares pictures with one; this recognizer does not")
        return None
    if template is None:
        raise UsageError(
            "this recognizer compares pictures with a template",
            code="no_template",
            hint="--template FILE names a picture of a good part",
        )
    if tile is not None:
        raise UsageError("--tile looks at pictures alone; this recognizer compares them with a template")
    return content(template)


def _compared(
    each: Callable[..., Generator[_sightings.Seen]], template: bytes
) -> Callable[..., Generator[_sightings.Seen]]:
    """Return the same for pictures that are compared with a template."""
    from foveal.bundle.inputs import Pair

    def compared(inputs: Iterable[str], **how: int | None) -> Generator[_sightings.Seen]:
        return each((Pair(path, template) for path in inputs), **how)

    return compared


def _see(
    asked: _Scenes, inputs: Iterable[str], *, as_json: bool, lines: bool, table: bool, quiet: bool
) -> NoReturn:
    """Print what is where on each picture, draw it where that is wanted, and end."""
    from foveal.flows.predict_drawn import drawing

    predictor = asked.predictor
    kept: list[dict[str, Any]] | None = [] if as_json else None
    write = _sightings.style(predictor.manifest.task, lines=lines, table=table, kept=kept)
    draw = None if asked.draw is None else drawing(asked.draw, predictor.classes)

    paths: deque[str] = deque()  # of what was taken and has no answer yet: what is printed may be no path

    def noted() -> Generator[str]:
        for path in inputs:
            paths.append(path)
            yield path

    def tell(seen: _sightings.Seen) -> None:
        path = paths.popleft()
        write(seen)
        if draw is not None and isinstance(seen, Sighting):
            try:
                draw(seen, path)
            except (DataError, NotFoundError) as error:
                talk(f"not drawn: {error.message}")

    answers = asked.answers(noted())
    ran = f"{predictor.session.engine} in {predictor.precision}"
    with closing(answers):
        outcomes = _write_all(answers, tell, ran=ran, quiet=quiet)
    good = outcomes["ok"] > 0
    exit_code = 0 if good else _exit_code(outcomes)
    if kept is not None:
        document = {"schema": SCHEMA, "ok": good, **_document(predictor, asked.bundle, kept, None)}
        if asked.draw is not None:
            document["drawn"] = str(asked.draw)
        emit(document, as_json=True, human=lambda _: None, exit_code=exit_code)
    raise typer.Exit(exit_code)


def _nothing(inputs: list[str], wanted: listing.Wanted) -> NotFoundError:
    """Return what to say where nothing is there that the recognizer answers for, but maybe the other kind."""
    films = wanted("film.mkv")
    kind, other, others = ("film", is_picture, "pictures") if films else ("picture", is_clip, "films")
    hint, named = "name files, folders or a pattern", [text for text in inputs if text != "-"]
    there = next(listing.paths(named, null=False, wanted=other), None)
    if there is not None:
        hint = f"there are {others}, such as {there}; this recognizer answers for {kind}s"
    return NotFoundError(f"no {kind} in {' '.join(inputs)}", hint=hint)


def _wanted(bundle: Path) -> "Callable[[str], bool]":
    """Return what tells the files in a folder that are meant; the bundle is asked when one is looked at."""
    from foveal.bundle import archive

    @cache
    def is_meant() -> Callable[[str], bool]:
        return is_clip if archive.read(bundle).manifest.task == "video" else is_picture

    return lambda name: is_meant()(name)


def _style(predictor: "Predictor", *, lines: bool, table: bool) -> _answers.Print:
    """Return what prints each answer as it comes."""
    if lines:
        return _answers.as_lines
    return _answers.as_table() if table else _answers.for_people(predictor.classes)


def _document(
    predictor: "Predictor", bundle: Path, predictions: list[dict[str, Any]], watcher: "Collected | None"
) -> dict[str, Any]:
    """Return the contract's document, but for its schema and whether it is ok."""
    document = {
        "bundle": str(bundle),
        "digest": predictor.digest,
        "engine": predictor.session.engine,
        "precision": predictor.precision,
        "predictions": predictions,
    }
    return document if watcher is None else {**document, "monitor": watcher.state()}


def _watcher(predictor: "Predictor") -> "Collected":
    """Return what looks at all pictures together once they are there, or refuse before any is read."""
    from foveal.monitor.collected import Collected

    return Collected(predictor.decision)


def _tell(state: dict[str, Any]) -> None:
    """Say on stderr, as stdout is for answers, whether the pictures look like those of the calibration."""
    for alarm in state["alarms"]:
        talk(f"monitor: {alarm['message']}")
    if not state["alarms"]:
        n = state["pictures"]
        these = "this picture differs" if n == 1 else f"these {n} pictures differ"
        talk(f"monitor: no sign that {these} from those of the calibration")


def _as_they_come(
    each: Callable[..., Generator[_Any]], inputs: Iterable[str], *, workers: int | None
) -> Generator[_Any]:
    """Yield the answer to every input that has come before waiting for another input."""
    for group in as_they_come(inputs, most=_LISTED, name="foveal-list"):
        batch = max(1, min(8, len(group) // 4))  # pieces enough for every worker
        yield from each(group, workers=1 if len(group) == 1 else workers, batch=batch)


def _exit_code(outcomes: Counter[str]) -> int:
    """Return 66 where no input exists, 65 where one does but none could be read."""
    return NotFoundError.exit_code if set(outcomes) == {"not_found"} else DataError.exit_code


def _write_all(
    answers: Iterable[_Any], write: Callable[[_Any], None], *, ran: str, quiet: bool
) -> Counter[str]:
    """Write answers as they come, and then what ran; return how often each outcome was: `ok`, or its code."""
    start, outcomes = time.perf_counter(), Counter({"ok": 0})
    for answer in answers:
        write(answer)
        outcomes["ok" if isinstance(answer, Label | Sighting) else answer.error.code] += 1
    total, bad = outcomes.total(), outcomes.total() - outcomes["ok"]
    if not quiet and (total > 1 or bad):
        seconds = time.perf_counter() - start
        rate = f"{show_seconds(seconds)}, {show_rate(total / seconds)}"
        talk(f"{total} input{'s' * (total > 1)}, {f'{bad} unusable, ' * (bad > 0)}{rate}, {ran}")
    return +outcomes
