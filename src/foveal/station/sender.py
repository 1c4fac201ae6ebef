"""Who is told of decisions: each one after the other from the log, again until it is taken.

The log is what waits: a service that is away for hours costs no memory, and what it was not told of when the
process ended, however it ended, it is told by the next one.
"""

import hashlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from foveal.core import files
from foveal.core.errors import DataError, FovealError, TemporaryError, WriteError
from foveal.core.failpoints import reach
from foveal.station.log import AuditLog
from foveal.station.reading import Tail
from foveal.stream.backoff import delay
from foveal.stream.outbox import Sink

FOLDER = "told"
_DIGITS = 20
_FIRST_S, _MOST_S = 0.1, 5.0
_CLOSING_S = 5.0  # for what still waits at the end


@dataclass(frozen=True)
class Signal:
    """A decision as it is told: what is in its record, but for what only the log needs."""

    record: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return what is told; `n` and `hash` name the record."""
        return {k: v for k, v in self.record.items() if k not in ("previous", "synced", "thresholds")}


class Cursor:
    """Up to which record somebody was told, kept beside the log in a file of its own.

    It is not waited for the disk: where the power takes it back, some decisions are told twice, none never.
    """

    def __init__(self, log: AuditLog, name: str) -> None:
        """Take up where it was; one that is new begins at the end of the log.

        Raises:
            DataError: `log_truncated`: more was told than the log has.
            WriteError: It cannot be kept.
        """
        folder = log.folder / FOLDER
        files.make_folder(folder)
        path = folder / hashlib.sha256(name.encode()).hexdigest()[:16]  # a name may hold a password
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            told = os.pread(self._handle, _DIGITS, 0)
            self.n = int(told) if len(told) == _DIGITS and told.isdigit() else log.n
            self.to(self.n)
            os.fsync(self._handle)
            files.sync_folder(folder)
        except OSError as error:
            raise WriteError(f"cannot write {path}: {error.strerror}", path=path) from None
        if self.n > log.n:
            self.close()
            raise DataError(
                f"the log in {log.folder} ends at record {log.n:,}, and record {self.n:,} was told",
                code="log_truncated",
                hint="its end was removed; keep it as it is, and go on with another --log",
                path=log.folder,
            )

    def to(self, n: int) -> None:
        """Note that all up to a record were told."""
        os.pwrite(self._handle, f"{n:0{_DIGITS}}\n".encode(), 0)
        self.n = n

    def close(self) -> None:
        """Let go of it."""
        os.close(self._handle)


@dataclass
class Told:
    """What became of the signals for somebody.

    Attributes:
        name: As it was ordered, without passwords.
        told: They were taken.
        waiting: They were not, and are told at the next start.
        error: Why the first of those was not taken, or None.
    """

    name: str
    told: int = 0
    waiting: int = 0
    error: FovealError | None = field(default=None, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return the object in the list of sinks."""
        error = None if self.error is None else self.error.as_json()
        return {"sink": self.name, "told": self.told, "waiting": self.waiting, "error": error}


class Sender:
    """Tells a sink of every decision, in order, each at least once, from a thread of its own."""

    def __init__(self, sink: Sink, name: str, log: AuditLog, *, key: str, say: Callable[[str], None]) -> None:
        """Begin, with what it was not told of before.

        Args:
            sink: Used from that thread only.
            name: For people, without passwords.
            log: What is told.
            key: What the sink is known by from run to run.
            say: Told of the first failure, from that thread.

        Raises:
            DataError, WriteError: As `Cursor`.
        """
        self._sink, self._say, self._result = sink, say, Told(name)
        self._folder, self._cursor = log.folder, Cursor(log, key)
        self._tail = Tail(log.folder, after=self._cursor.n)
        self._committed = log.n
        self._changed = threading.Condition()
        self._until: float | None = None
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._work, name="foveal-signal", daemon=True)
        self._thread.start()

    def committed(self, n: int) -> None:
        """Take note that all records up to one are on the disk."""
        with self._changed:
            self._committed = n
            self._changed.notify_all()

    def close(self) -> Told:
        """Wait some seconds until all is told, and finish; return what became of it."""
        with self._changed:
            self._until = time.monotonic() + _CLOSING_S
            self._changed.notify_all()
        self._thread.join(_CLOSING_S)
        self._hurry.set()
        self._thread.join(_CLOSING_S)
        return self._result

    def _work(self) -> None:
        try:
            while (record := self._next()) is not None and self._deliver(record):
                reach("signal.told")
                self._cursor.to(record["n"])
            self._sink.close()
        except Exception as error:  # whatever it is, the line goes on, and the exit code tells
            self._failed(error)
        finally:
            self._count_waiting()
            self._tail.close()
            self._cursor.close()

    def _next(self) -> dict[str, Any] | None:
        while True:
            with self._changed:
                committed, ending = self._committed, self._until is not None
            record = self._tail.next(committed=committed)
            if record is not None and record["what"] == "decision":
                return record
            if record is None and ending:
                return None
            with self._changed:
                if record is None and self._committed == committed and self._until is None:
                    self._changed.wait()

    def _deliver(self, record: dict[str, Any]) -> bool:
        """Tell of one until it is taken; return False where there is no time for that."""
        attempt = 0
        while not self._hurry.is_set():
            try:
                self._sink.write(Signal(record))
            except (FovealError, OSError) as error:
                self._failed(error)
                self._hurry.wait(delay(attempt, first_s=_FIRST_S, most_s=_MOST_S))
                attempt += 1
            else:
                self._result.told += 1
                self._result.error = None
                return True
        return False

    def _count_waiting(self) -> None:
        """Count the decisions that nobody took."""
        tail = Tail(self._folder, after=self._cursor.n)
        while (record := tail.next(committed=self._committed)) is not None:
            self._result.waiting += record["what"] == "decision"
        tail.close()
        if self._result.waiting and self._result.error is None:
            self._result.error = TemporaryError("it was too slow to be told of all", code="too_slow")

    def _failed(self, error: Exception) -> None:
        if isinstance(error, OSError) and not isinstance(error, FovealError):
            error = WriteError(f"cannot write: {error.strerror or error}", path=error.filename)
        elif not isinstance(error, FovealError):
            error = FovealError(f"{type(error).__name__}: {error}", code="internal")
        if self._result.error is None and not self._hurry.is_set():
            self._say(f"sink {self._result.name} takes no signal, the line goes on: {error.message}")
        self._result.error = error
