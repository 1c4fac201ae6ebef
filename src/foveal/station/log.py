"""The audit log: a decision counts, and is told, once it is here and the disk has said so.

Records that are ready together are written in one go and waited for once (`append` of several); nobody is
told of any of them before. What a loss of power leaves behind the last promised record is cut off at the next
start.
"""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from foveal.core import failpoints, files
from foveal.core.errors import TemporaryError, WriteError
from foveal.core.text import printable
from foveal.station.reading import LONGEST, files_of, is_torn, last_of, name_of, number_of
from foveal.station.record import Broken, Chain, Decision, RecordError, canonical

if sys.platform != "win32":
    import fcntl

MOST_BYTES = 16 << 20  # of a file, beyond which the next one is begun: what a start has to read


class AuditLog:
    """A log that this process, and no other, adds to.

    Attributes:
        folder: Where it lies.
        cut_bytes: What was removed from its end at the start, as it was never promised.
    """

    def __init__(self, folder: Path, *, most_bytes: int | None = None) -> None:
        """Open or make it, and find its end.

        Args:
            folder: Only this log's files are looked at.
            most_bytes: Of a file, beyond which the next one is begun; None: 16 MB.

        Raises:
            TemporaryError: Another process adds to it.
            DataError: `log_broken`: it was changed since it was written.
            WriteError: It cannot be made or written.
        """
        self.folder, self.cut_bytes = folder, 0
        self._most = MOST_BYTES if most_bytes is None else most_bytes
        self._chain, self._number, self._day, self._end = Chain(), 0, "", 0
        self._handle: int | None = None
        self._failed = False
        self._lock = _locked(folder)
        try:
            self._find_end()
        except BaseException as error:
            self.close()
            raise _cannot(folder, error) if isinstance(error, OSError) else error from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def n(self) -> int:
        """Number of the last record; all up to it are on the disk."""
        return self._chain.n

    @property
    def head(self) -> str:
        """Hash of the last record: kept elsewhere, it shows whether the end of the log was cut off."""
        return self._chain.head

    def append(self, decisions: Sequence[Decision]) -> list[dict[str, Any]]:
        """Add decisions, and return their records once they are on the disk.

        Raises:
            WriteError: They are not. Nothing is added any more: what a disk holds after it failed is known
                only when it is read again.
        """
        if self._failed:
            raise WriteError(f"{self.folder} could not be written before", path=self.folder)
        now = datetime.now(UTC)
        time = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        chain, synced = Chain(self.n, self.head), self.n
        records = [chain.next({"time": time, **one.as_json()}, synced=synced) for one in decisions]
        data = b"".join(canonical(record) + b"\n" for record in records)
        try:
            self._begin_file(now.strftime("%Y%m%d"))
            self._write(data)
        except BaseException as error:
            self._failed = True
            raise _cannot(self.folder, error) if isinstance(error, OSError) else error from None
        self._chain = chain
        return records

    def close(self) -> None:
        """Let go of it."""
        if self._handle is not None:
            os.close(self._handle)
        if self._lock is not None:
            os.close(self._lock)
        self._handle = self._lock = None
        self._failed = True

    def _write(self, data: bytes) -> None:
        assert self._handle is not None
        written = os.pwrite(self._handle, failpoints.passing("log.write", data), self._end)
        failpoints.written()
        if written < len(data):  # the disk has room for a part
            os.ftruncate(self._handle, self._end)
            raise WriteError(f"cannot write {self.folder}: the disk is full", path=self.folder)
        failpoints.reach("log.sync")
        os.fsync(self._handle)
        failpoints.reach("log.synced")
        self._end += len(data)

    def _begin_file(self, day: str) -> None:
        """Begin the next file where there is none yet, its day is over, or it is long enough."""
        if self._handle is not None and (self._end == 0 or (day == self._day and self._end < self._most)):
            return
        path = self.folder / name_of(self._number + 1, day)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        if self._handle is not None:
            os.close(self._handle)
        self._handle, self._number, self._day, self._end = handle, self._number + 1, day, 0
        failpoints.reach("log.create")
        files.sync_folder(self.folder)  # before anything in it is promised

    def _find_end(self) -> None:
        paths = files_of(self.folder)
        if not paths:
            return
        earlier = None
        for path in reversed(paths[:-1]):
            if path.stat().st_size:  # one that was begun and never written is empty
                earlier = path
                break
        if earlier is not None:
            try:
                self._chain = last_of(earlier)
            except RecordError as why:
                raise Broken(str(why), 0, earlier.name, 0).error(self.folder) from None
        self._take_up(paths[-1])

    def _take_up(self, path: Path) -> None:
        """Go through the last file to its end, and cut off what was never promised."""
        self._handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._number, self._day = number_of(path), path.stem[-8:]
        with open(self._handle, "rb", closefd=False) as file:
            number, line = 0, b""
            while line := file.readline(LONGEST):
                number += 1
                try:
                    self._chain.take(line.removesuffix(b"\n"))
                except RecordError as why:
                    rest = line + file.read()
                    if not is_torn(rest, self.n):
                        raise Broken(str(why), self.n + 1, path.name, number).error(self.folder) from None
                    self.cut_bytes = len(rest)
                    os.ftruncate(self._handle, self._end)
                    break
                self._end += len(line)
            if self._end and os.pread(self._handle, 1, self._end - 1) != b"\n":  # whole but for that
                self._end += os.pwrite(self._handle, b"\n", self._end)
        failpoints.reach("log.cut")
        os.fsync(self._handle)  # also what was written and not waited for: it counts from now on
        files.sync_folder(self.folder)


def _locked(folder: Path) -> int | None:
    """Make a folder, and hold it as the one that writes in there."""
    files.make_folder(folder)
    try:
        files.sync_folder(folder.absolute().parent)
        if sys.platform == "win32":  # no such locks: two lines on one log are then the user's to avoid
            return None
        handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _cannot(folder, error) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise TemporaryError(
            f"another line writes to {printable(str(folder))}",
            hint="name another folder, or wait for it",
            path=folder,
        ) from None
    return handle


def _cannot(folder: Path, error: OSError) -> WriteError:
    if isinstance(error, WriteError):
        return error
    return WriteError(
        f"cannot write {printable(str(folder))}: {error.strerror}",
        hint="what was decided is kept: the same line again goes on once there is room",
        path=folder,
    )
