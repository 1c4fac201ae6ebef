"""All lines, also those of events, at the end of a file: `jsonl:FILE`."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

from foveal.core.errors import WriteError
from foveal.core.failpoints import passing, written
from foveal.core.text import printable
from foveal.stream.order import SinkOrder
from foveal.stream.outbox import Item, line_of
from foveal.stream.shown import Shown

EXTRA = None


def jsonl(place: str, order: SinkOrder) -> "_Lines":
    """Return what adds a line for each frame and event to a file, which may be there already.

    A line that a killed process left half-written at its end is removed.

    Raises:
        WriteError: The file cannot be written.
    """
    return _Lines(Path(place))


class _Lines:
    """Each line is written in one go, so that whatever happens to the process the file consists of lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            self._end = _whole_lines(self._handle)
            if self._end < os.fstat(self._handle).st_size:
                os.ftruncate(self._handle, self._end)
        except OSError as error:
            raise self._error(error) from None

    room, patient = 1000, True

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
                raise WriteError(
                    f"cannot write {printable(str(self._path))}: the disk is full", path=self._path
                )
        except OSError as error:
            raise self._error(error) from None
        self._end += len(line)

    def close(self) -> None:
        try:
            os.fsync(self._handle)
        except OSError as error:
            if error.errno != errno.EINVAL:  # a device has nothing to sync
                raise self._error(error) from None
        finally:
            os.close(self._handle)

    def _error(self, error: OSError) -> WriteError:
        if isinstance(error, WriteError):
            return error
        name = printable(str(self._path))
        return WriteError(f"cannot write {name}: {error.strerror}", path=name)


def _whole_lines(handle: int) -> int:
    """Return how many bytes of a file are whole lines."""
    end = os.fstat(handle).st_size
    while end:
        start = max(0, end - (1 << 16))
        block = os.pread(handle, end - start, start)
        if (found := block.rfind(b"\n")) >= 0:
            return start + found + 1
        end = start
    return 0
