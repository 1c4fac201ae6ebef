"""What stdout and stderr have to bear: a terminal without a letter, a reader that has gone, a full disk."""

import io
import os
import select
import sys
from contextlib import suppress
from typing import Any

_STDERR = 2


class _Heedless(io.FileIO):
    """A file that takes whatever is written: what the system refuses is lost, and nobody is told."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data) or len(data)
        except OSError:
            return len(data)


def prepare() -> None:
    """Let no letter that stdout lacks end a command, and nothing at all that stderr refuses.

    On stderr is talk and progress: who closed it, or has seen enough, still wants the work done.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if sys.stderr is None:  # closed by whoever started us; the next file that is opened must not be it
        _fill()
    encoding = "utf-8" if sys.stderr is None else sys.stderr.encoding
    heedless = io.BufferedWriter(_Heedless(_STDERR, "wb", closefd=False))
    sys.stderr = io.TextIOWrapper(heedless, encoding, errors="backslashreplace", line_buffering=True)


def _fill() -> None:
    """Open the null device until stderr has it; where stdin or stdout are closed too, they get it as well."""
    while (handle := os.open(os.devnull, os.O_RDWR)) < _STDERR:
        pass
    if handle > _STDERR:
        os.close(handle)


def discard_stdout() -> None:
    """Let what is still to be written to stdout go nowhere, or the flush at the exit fails again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def discard_where_nobody_reads() -> None:
    """Discard as `discard_stdout` where writing would wait: who interrupts does not wait for a reader."""
    with suppress(OSError, ValueError):  # no file at all, such as in a test
        if not select.select([], [sys.stdout.fileno()], [], 0)[1]:
            discard_stdout()
