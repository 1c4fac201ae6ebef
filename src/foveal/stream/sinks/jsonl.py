"""All lines, also those of events, at the end of a file: `jsonl:FILE`."""

import errno
import json
import math
import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

from foveal.core.errors import TemporaryError, WriteError
from foveal.core.failpoints import passing, written
from foveal.core.text import printable
from foveal.stream.options import SinkOptions
from foveal.stream.outbox import Item, line_of
from foveal.stream.shown import Shown

if sys.platform != "win32":
    import fcntl

EXTRA = None
PICTURES = False
LOCAL = True

_BEGINNINGS = (b'{"frame": ', b'{"event": {')
_LONGEST = 1 << 20  # bytes of a line; longer ones are not ours


def jsonl(place: str, options: SinkOptions) -> "_Lines":
    """Return what adds a line for each frame and event to a file, which may be there already.

    A line that a killed process left half-written at its end is removed. A file with anything else in it is
    left as it is, or begun anew with `options.force`.

    Raises:
        WriteError: `would_overwrite`: it is no file of such lines; or it cannot be written.
        TemporaryError: Another stream writes to it.
    """
    return _Lines(Path(place), force=options.force, durable=options.durable)


class _Lines:
    """Each line is written in one go, so that whatever happens to the process the file consists of lines."""

    def __init__(self, path: Path, *, force: bool, durable: bool) -> None:
        self._name, self._end, self._durable = printable(str(path)), 0, durable
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise self._error(error) from None
        try:
            if stat.S_ISREG(os.fstat(self._handle).st_mode):  # a device has no end
                self._go_on(force=force)
        except BaseException as error:
            os.close(self._handle)
            raise self._error(error) if isinstance(error, OSError) else error from None

    def _go_on(self, *, force: bool) -> None:
        """Take the file for this stream alone; find the end of the lines, and remove what lies behind it."""
        if sys.platform != "win32":  # no such locks: two streams on one file are then the user's to avoid
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TemporaryError(
                    f"another stream writes to {self._name}",
                    hint="name another file, or wait for it",
                    path=self._name,
                ) from None
        end = _whole_lines(self._handle)
        if end is None and not force:
            raise WriteError(
                f"{self._name} is there already, and holds something else than lines of a stream",
                code="would_overwrite",
                hint="name another file, or --force to replace it",
                path=self._name,
            )
        self._end = end or 0
        os.ftruncate(self._handle, self._end)
        if self._end and os.pread(self._handle, 1, self._end - 1) != b"\n":
            self._end += os.pwrite(self._handle, b"\n", self._end)

    room, patient, complete, limit = 1000, True, True, math.inf

    def wanted(self, item: Item) -> Item | None:
        return replace(item, picture=None) if isinstance(item, Shown) else item

    def write(self, item: Item) -> None:
        document = line_of(item)
        line = (json.dumps(document) + "\n").encode()
        try:
            count = os.pwrite(self._handle, passing("jsonl", line), self._end)
            written()
            if count < len(line):  # the disk has room for half of it
                os.ftruncate(self._handle, self._end)
                raise WriteError(f"cannot write {self._name}: the disk is full", path=self._name)
        except OSError as error:
            raise self._error(error) from None
        self._end += len(line)
        if self._durable:
            self._sync()

    def close(self) -> None:
        try:
            self._sync()
        finally:
            os.close(self._handle)

    def _sync(self) -> None:
        try:
            os.fsync(self._handle)
        except OSError as error:
            if error.errno != errno.EINVAL:  # a device has nothing to sync
                raise self._error(error) from None

    def _error(self, error: OSError) -> WriteError:
        if isinstance(error, WriteError):
            return error
        return WriteError(f"cannot write {self._name}: {error.strerror}", path=self._name)


def _whole_lines(handle: int) -> int | None:
    """Return how many bytes of a file are whole lines of a stream; None where anything else is in it.

    The last line may be torn: then it is not counted, if it begins as one of ours.
    """
    end = 0
    with open(handle, "rb", closefd=False) as file:
        while line := file.readline(_LONGEST):
            if line.startswith(_BEGINNINGS) and _is_whole(line):
                end += len(line)
            elif file.read(1) or not any(line.startswith(b) or b.startswith(line) for b in _BEGINNINGS):
                return None
    return end


def _is_whole(line: bytes) -> bool:
    if line.endswith(b"\n"):
        return line.endswith(b"}\n")
    try:  # of the last line only the end may be missing
        json.loads(line)
    except ValueError:
        return False
    return True
