"""The files of an audit log, and the records in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from foveal.core.errors import NotFoundError
from foveal.core.text import printable
from foveal.station.record import Broken, Chain, RecordError, whole

LONGEST = 1 << 20  # bytes of a line; longer ones are not ours
_NAME = re.compile(r"audit-(\d{6})-\d{8}\.jsonl")


def name_of(number: int, day: str) -> str:
    """Return the name of a file of a log.

    Args:
        number: From 1.
        day: Of its first record, as `20261130`.
    """
    return f"audit-{number:06}-{day}.jsonl"


def number_of(path: Path) -> int:
    """Return which file of its log this one is, from 1."""
    found = _NAME.fullmatch(path.name)
    return int(found[1]) if found else 0


def files_of(folder: Path) -> list[Path]:
    """Return the files of a log in their order.

    Raises:
        NotFoundError: There is no such folder, or it cannot be listed.
    """
    try:
        return sorted((path for path in folder.iterdir() if number_of(path)), key=number_of)
    except OSError as error:
        shown = printable(str(folder))
        raise NotFoundError(f"there is no log in {shown}: {error.strerror}", path=shown) from None


@dataclass
class Reading:
    """A walk through a whole log.

    Attributes:
        folder: Where it lies.
        chain: Where the walk is.
        broken: The first place where it is not what was written, where the walk ended.
        torn_bytes: Behind the last record: the beginning of one, as a loss of power leaves it.
    """

    folder: Path
    chain: Chain = field(default_factory=Chain)
    broken: Broken | None = None
    torn_bytes: int = 0

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield all records from the first on, until the end or until it is broken.

        Raises:
            NotFoundError: There is no such log, or a file of it cannot be read.
        """
        files = files_of(self.folder)
        for path in files:
            number = 0
            try:
                with path.open("rb") as file:
                    while line := file.readline(LONGEST):
                        number += 1
                        try:
                            yield self.chain.take(line.removesuffix(b"\n"))
                        except RecordError as why:
                            self._ended(str(why), line + file.read(), path, number, last=path == files[-1])
                            return
            except OSError as error:
                raise NotFoundError(f"cannot read {path}: {error.strerror}", path=path) from None

    def _ended(self, why: str, rest: bytes, path: Path, number: int, *, last: bool) -> None:
        if last and is_torn(rest, self.chain.n):
            self.torn_bytes = len(rest)
        else:
            self.broken = Broken(why, self.chain.n + 1, path.name, number)


def is_torn(rest: bytes, n: int) -> bool:
    """Return whether the end of a log, from the first line on that is no record, was never promised.

    What reached the disk of a write that nobody waited for may have holes: a record that is whole behind one
    that is not. It tells how many records were on the disk when it was written. A hole leaves neither a
    record that says something else than its hash, nor one that is whole where another one should be.

    Args:
        rest: All behind the last record of the log.
        n: Number of that record.
    """
    for place, line in enumerate(rest.split(b"\n")):
        try:
            record = whole(line)
        except RecordError as why:
            if str(why) == "changed":
                return False
        else:
            if place == 0 or record["n"] <= n or record["synced"] > n:
                return False
    return True


def last_of(path: Path) -> Chain:
    """Return where the last whole record of a file that was finished leads.

    Raises:
        RecordError: Its last line is none.
    """
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LONGEST))
        line = file.read().removesuffix(b"\n").rpartition(b"\n")[2]
    record = whole(line)
    return Chain(record["n"], record["hash"])


class Tail:
    """Reads on in a log while it is written, from behind a record that is known."""

    def __init__(self, folder: Path, *, after: int) -> None:
        """Begin.

        Args:
            folder: Of the log.
            after: Number of the last record that is not wanted any more.
        """
        self._folder, self._n = folder, after
        self._file: BinaryIO | None = None
        self._number = 0

    def next(self, *, committed: int) -> dict[str, Any] | None:
        """Return the next record; None where the log has no further one.

        Args:
            committed: Number of the last record that is on the disk: no later one is read.
        """
        while self._n < committed:
            line = b"" if self._file is None else self._file.readline()
            if not line:
                self._open()
                continue
            record = whole(line.removesuffix(b"\n"))
            if record["n"] > self._n:
                self._n = record["n"]
                return record
        return None

    def close(self) -> None:
        """Close what is open."""
        if self._file is not None:
            self._file.close()

    def _open(self) -> None:
        """Open the file that follows; at first the last one that begins before what is wanted."""
        later = [path for path in files_of(self._folder) if number_of(path) > self._number]
        if self._number == 0:
            begun = [path for path in later if (first := _first(path)) is not None and first <= self._n + 1]
            later = later[len(begun) - 1 :] if begun else later
        self.close()
        self._file, self._number = later[0].open("rb"), number_of(later[0])


def _first(path: Path) -> int | None:
    with path.open("rb") as file:
        line = file.readline(LONGEST)
    try:
        return int(whole(line.removesuffix(b"\n"))["n"])
    except RecordError:
        return None
