"""The one file that all rows of a job are joined into."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from foveal.batch import durable, formats
from foveal.batch.job import PARTS, STAGING
from foveal.batch.ledger import Done
from foveal.core import catalog, files
from foveal.core.errors import DataError, WriteError
from foveal.core.steps import file_hash

_JOINED = "joined.json"


@dataclass(frozen=True)
class Target:
    """A file, and the job whose rows it holds.

    Attributes:
        path: The file; it appears whole.
        job: Folder of the job, which notes what it has written there before it gives the file its name.
    """

    path: Path
    job: Path

    def check(self) -> None:
        """Refuse a file that is there and not this job's.

        Raises:
            WriteError: `would_overwrite`.
            DataError: `damaged`: what the job noted says nothing.
        """
        noted = self._noted()
        if files.is_there(self.path) and not (self.path.is_file() and file_hash(self.path) in noted.values()):
            raise WriteError(
                f"{self.path} is there, and not what this job wrote",
                code="would_overwrite",
                hint="move it away, or name another file",
                path=self.path,
            )

    def join(self, done: Sequence[Done], kind: str) -> None:
        """Write the rows of all shards, in the order of the manifest, unless the file holds them already.

        Raises:
            DataError: `part_damaged`: a part is not what the ledger says.
            WriteError: The disk is full.
        """
        of = hashlib.sha256("".join(one.sha256 for one in done).encode()).hexdigest()
        noted = self._noted()
        if self.path.exists() and noted.get(of) == file_hash(self.path):
            return
        staged = self.job / STAGING / f"joined.{kind}"
        files.remove(staged)
        pieces = catalog.find(formats, kind).join(self._parts(done))
        durable.write_new(staged, pieces, "batch.join")
        # Both: until the file has its new name the one that is there is this job's, too.
        files.write_json(self.job / _JOINED, {**noted, of: file_hash(staged)})
        durable.move(staged, self.path, "batch.joined")

    def _parts(self, done: Sequence[Done]) -> Iterator[Path]:
        for one in done:
            part = self.job / PARTS / one.part
            if not part.exists() or file_hash(part) != one.sha256:
                raise DataError(
                    f"{part} is not what was committed",
                    code="part_damaged",
                    hint="bring it back from a copy, or begin the job in another folder",
                    path=part,
                )
            yield part

    def _noted(self) -> dict[str, str]:
        """Return what the file was each time, by the rows that it held.

        Raises:
            DataError: `damaged`: the note says nothing.
        """
        if not files.is_there(self.job / _JOINED):
            return {}
        return files.read_json(
            self.job / _JOINED,
            lambda found: {rows: str(content) for rows, content in found.items()},
            hint=f"remove it, and move {self.path} away: it is made again",
        )
