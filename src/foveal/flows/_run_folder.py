"""What a run folder holds: how one is started, what it remembers of the command, how one is taken back."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foveal.core import files, runs
from foveal.core.errors import FovealError, WriteError
from foveal.data.archive import SUFFIXES
from foveal.flows._environment import ENVIRONMENT, write_environment
from foveal.flows._prepare import FINDINGS, SPLIT, STORE
from foveal.train.recipe import Recipe, write_recipe

RECIPE = "recipe.toml"
_COMMAND = "command.json"
# What a run writes after its start; see docs/commands/train.md.
_RESULTS = (
    "*.foveal", "report.html", "metrics.json", "history.jsonl", "plan.json", SPLIT, FINDINGS, "log.txt",
    "checkpoints", "figures", "model", STORE,
)  # fmt: skip
_NAME_BYTES = 100  # a file's name may have 255, and a temporary one is longer than the bundle's


@dataclass(frozen=True)
class Command:
    """What a run was started with besides its recipe.

    Attributes:
        name: Of the bundle, without ending; it stays when the data are moved.
        strict: Warnings of the check stop the run.
    """

    name: str
    strict: bool = False


def start(run: Path, recipe: Recipe, command: Command, environment: dict[str, Any]) -> None:
    """Make a folder a run that can be resumed; what an earlier run left in it is gone, other files stay.

    Raises:
        WriteError: It cannot be written.
    """
    _remove(run, _RESULTS)
    files.write_json(run / _COMMAND, asdict(command))
    write_environment(run, environment)
    write_recipe(recipe, run / RECIPE)  # last: it says that all is there to go on with


def read_command(run: Path, data: Path) -> Command:
    """Return what a run was started with; one of an older version is named after its data."""
    path = run / _COMMAND
    if not path.is_file():
        return Command(bundle_name(data))
    return Command(**json.loads(path.read_text(encoding="utf-8")))


@contextmanager
def undone_if_refused(run: Path, *, started_here: bool, made: bool) -> Iterator[None]:
    """After an error of ours put `runs/last` back, and leave no trace of a run that had just begun.

    Args:
        run: The run folder; nobody else writes there.
        started_here: Nothing was in it before: what a run writes goes.
        made: It was not there before: it goes, too.
    """
    former = runs.last()
    try:
        yield
    except FovealError:
        with suppress(WriteError):  # the first error is the one to tell
            runs.unmark_last(run, former)
            if started_here:
                _remove(run, (*_RESULTS, RECIPE, ENVIRONMENT, _COMMAND, runs.LOCK))
        if made:
            with suppress(OSError):
                run.rmdir()
        raise


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
