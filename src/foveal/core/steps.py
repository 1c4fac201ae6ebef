"""Work in steps that are kept as long as what went in and what came out is unchanged."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from foveal.core import files
from foveal.core.progress import Progress

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Step:
    """A finished step.

    Attributes:
        of: Digest of all that it depends on.
        made: sha256 of the files it made, by their names below the folder.
        seconds: That it took, in the process that finished it.
        parts: Seconds of its parts, where it has some.
    """

    of: str
    made: Mapping[str, str]
    seconds: float
    parts: Mapping[str, float] = field(default_factory=dict)


class Steps:
    """The finished steps of a folder, written down one by one; one writer at a time."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self._path = folder / name
        self._done: dict[str, Step] = {}
        self.kept: set[str] = set()
        """Names of the steps that were not done again."""
        if not self._path.is_file():  # none yet
            return
        self._done = files.read_json(
            self._path,
            lambda rows: {key: Step(**row) for key, row in rows.items()},
            code="bad_steps",
            hint="--force builds anew in this folder; another --out keeps both",
        )

    def __contains__(self, name: str) -> bool:
        """Return whether a step was finished, whatever became of its files."""
        return name in self._done

    def __getitem__(self, name: str) -> Step:
        """Return a finished step."""
        return self._done[name]

    def carry_out(
        self,
        name: str,
        of: Mapping[str, Any],
        work: Callable[[], Sequence[str]],
        *,
        parts: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        """Do a step, unless it was done with the same and its files are as it left them.

        Args:
            name: Of the step.
            of: All that it depends on, as plain values.
            work: Does it and returns the names of the files that it made, below the folder.
            parts: Asked afterwards for the seconds of its parts.

        Raises:
            WriteError: What was done cannot be written down.
        """
        key = digest(of)
        before = self._done.get(name)
        if before is not None and before.of == key and self._unchanged(before):
            self.kept.add(name)
            return
        started = time.monotonic()
        names = work()
        made = {file: file_hash(self.folder / file) for file in names}
        self._done[name] = Step(key, made, round(time.monotonic() - started, 2), dict(parts()))
        files.write_json(self._path, {one: asdict(step) for one, step in self._done.items()})

    def _unchanged(self, step: Step) -> bool:
        try:
            return all(file_hash(self.folder / name) == sha for name, sha in step.made.items())
        except OSError:
            return False


class Stopwatch:
    """Progress that also adds up how long each part of a step took, by the stages that are told."""

    def __init__(self, progress: Progress, part_of: Callable[[str], str]) -> None:
        self.progress = progress
        self.seconds: dict[str, float] = {}
        self._part_of = part_of
        self._last = time.monotonic()

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Pass progress on; the time since the last call belongs to the part of this stage."""
        self.progress(stage, done, total, note)
        now, part = time.monotonic(), self._part_of(stage)
        self.seconds[part] = round(self.seconds.get(part, 0.0) + now - self._last, 2)
        self._last = now


def digest(values: Mapping[str, Any]) -> str:
    """Return the sha256 over plain values; equal values give equal digests."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """Return the sha256 of a file.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
