"""What a run folder holds: how one is started, what it remembers of the command, how one is taken back."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from foveal.core import files, runs
from foveal.core.errors import FovealError, WriteError
from foveal.data.archive import SUFFIXES
from foveal.flows._environment import ENVIRONMENT, write_environment
from foveal.flows._prepare import FINDINGS, SPLIT, STORE
from foveal.flows._shown import SHOWN
from foveal.train.recipe_file import write_fields

RECIPE = "recipe.toml"
ADAPTED = "adapted.json"  # of a run whose network another run trained
METRICS = "metrics.json"  # written last: what was trained is exported, measured and reported
_COMMAND = "command.json"
# What a run writes after its start; see docs/commands/train.md.
_RESULTS = (
    "*.foveal", "report.html", METRICS, "history.jsonl", "plan.json", SPLIT, FINDINGS, "log.txt",
    "checkpoints", "figures", "model", "baseline", "baseline.json", "pretrained", "scratch", STORE,
    "probe", "probes.jsonl", "pictures.json", "near_copies.json", "suggested.csv", "suggested.html", ADAPTED,
    SHOWN, runs.CONVERTED,
)  # fmt: skip
_OURS = (RECIPE, ENVIRONMENT, _COMMAND, *_RESULTS)
_NAME_BYTES = 100  # a file's name may have 255, and a temporary one is longer than the bundle's


@dataclass(frozen=True)
class Command:
    """What a run was started with besides its recipe.

    Attributes:
        name: Of the bundle, without ending; it stays when the data are moved.
        strict: Warnings of the check stop the run.
        data: Absolute path at which the data were; None: a run of an older version. A place to look: what is
            found there is compared by content.
        network: What was said of a builder of the user's own; see `Architecture.said`.
    """

    name: str
    strict: bool = False
    data: str | None = None
    network: str | None = None


def start(run: Path, recipe: BaseModel, command: Command, environment: dict[str, Any]) -> None:
    """Make a folder a run that can be resumed; an earlier run in it is set aside, other files stay.

    Raises:
        WriteError: It cannot be written.
    """
    _set_aside(run)
    files.write_json(run / _COMMAND, asdict(command))
    write_environment(run, environment)
    write_fields(recipe, run / RECIPE)  # last: it says that all is there to go on with


def clear(run: Path, *, keep: tuple[str, ...]) -> None:
    """Remove what a run has written, but for some files of it; files that are not ours stay.

    Raises:
        WriteError: The system does not let us.
    """
    _remove(run, tuple(name for name in _OURS if name not in keep))


def _set_aside(run: Path) -> None:
    """Move an earlier run out of the way; what came after one that is set aside was never accepted."""
    aside = run / runs.REPLACED
    if aside.is_dir() and (run / RECIPE).is_file():
        _remove(run, _OURS)
    found = [path for pattern in _OURS for path in run.glob(pattern)]
    if found:
        files.make_folder(aside)
        _move(found, aside)  # the recipe first: killed in between, there is nothing to resume


def read_command(run: Path, data: Path) -> Command:
    """Return what a run was started with; one of an older version is named after its data."""
    path = run / _COMMAND
    if not path.is_file():
        return Command(bundle_name(data))
    return files.read_json(path, lambda found: Command(**found), hint="delete it, and go on")


@contextmanager
def undone_if_refused(run: Path, *, started: bool, made: bool, stopped: bool = False) -> Iterator[None]:
    """After an error of ours put `runs/last` and what was set aside back, as if nothing had been started.

    Args:
        run: The run folder; nobody else writes there.
        started: The run began here; False: it was there before and only goes on.
        made: The folder was not there before: it goes, too.
        stopped: Likewise after Ctrl-C or whatever else ends it: nothing could go on from what is there.
    """
    former = runs.last()
    refused: tuple[type[BaseException], ...] = (BaseException,) if stopped else (FovealError,)
    try:
        yield
    except refused:
        with suppress(WriteError):  # the first error is the one to tell
            runs.unmark_last(run, former)
            if started:
                _remove(run, (*_OURS, runs.LOCK))
                _move(list((run / runs.REPLACED).glob("*")), run)
                files.remove(run / runs.REPLACED)
        if made:
            with suppress(OSError):
                run.rmdir()
        raise
    files.remove(run / runs.REPLACED)


def bundle_name(data: Path) -> str:
    """Return the name of the data without endings and odd characters, at most 100 bytes of UTF-8."""
    stem = data.resolve().name
    for ending in sorted(SUFFIXES, key=len, reverse=True):
        stem = stem.removesuffix(ending)
    plain = re.sub(r"[^\w.-]+", "-", stem).strip("-.").encode()[:_NAME_BYTES]
    return plain.decode("utf-8", "ignore").strip("-.") or "recognizer"


def _remove(run: Path, patterns: tuple[str, ...]) -> None:
    for pattern in patterns:
        for path in run.glob(pattern):
            files.remove(path)


def _move(paths: list[Path], folder: Path) -> None:
    """Move files and folders; what the other folder has already is the older one, and stays."""
    for path in paths:
        try:
            if (folder / path.name).exists():
                files.remove(path)
            else:
                path.rename(folder / path.name)
        except OSError as error:
            raise WriteError(f"cannot move {path} to {folder}: {error.strerror}", path=path) from error
