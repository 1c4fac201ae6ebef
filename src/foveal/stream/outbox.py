"""A sink in a thread of its own, so that none of them keeps frames waiting."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from foveal.core.errors import FovealError, TemporaryError, WriteError
from foveal.stream.backoff import delay
from foveal.stream.shown import Shown


class Told(Protocol):
    """What is told beside frames: an event, an incident, the decision of a station."""

    def as_json(self) -> dict[str, Any]:
        """Return what is told of it."""
        ...


Item = Shown | Told

_ATTEMPTS = 6
_FIRST_S, _MOST_S = 0.2, 5.0
_CLOSING_S = 5.0  # for what still waits at the end


def line_of(item: Item, *, scores: bool = False) -> dict[str, Any]:
    """Return the contract's line: of a frame, or of an event or incident.

    Args:
        item: What is told.
        scores: Of a frame, whether to tell the probability of every class.
    """
    return item.as_json(scores=scores) if isinstance(item, Shown) else {"event": item.as_json()}


class Sink(Protocol):
    """Where results go; `write` and `close` are called from one thread."""

    @property
    def room(self) -> int:
        """How many things may wait for it; pictures among them are what takes memory."""
        ...

    @property
    def patient(self) -> bool:
        """Whether a film waits for it where there is no room; a live source never does."""
        ...

    @property
    def complete(self) -> bool:
        """Whether it promises all that it wanted: what is missing is an error then."""
        ...

    @property
    def limit(self) -> float:
        """How many things it takes in all; `math.inf` where that is not bounded."""
        ...

    def wanted(self, item: Item) -> Item | None:
        """Return, at once, what it takes of this, or None; called from where answers are made."""
        ...

    def write(self, item: Item) -> None:
        """Take one thing.

        Raises:
            TemporaryError: The same again may work.
            FovealError, OSError: This one is lost; the next one may work.
        """
        ...

    def close(self) -> None:
        """Finish what was begun."""
        ...


@dataclass
class Delivered:
    """What became of the things that a sink wanted.

    Attributes:
        name: As it was ordered, without passwords.
        written: They are there.
        dropped: There was no room for them, or no time at the end.
        failed: They could not be written.
        over_limit: It takes no more than it has taken.
        error: The first reason why something that was promised is missing, or None.
    """

    name: str
    written: int = 0
    dropped: int = 0
    failed: int = 0
    over_limit: int = 0
    error: FovealError | None = field(default=None, repr=False)

    @property
    def lost(self) -> int:
        """How many are not where they should be."""
        return self.dropped + self.failed

    def as_json(self) -> dict[str, Any]:
        """Return the object in the list of sinks."""
        error = None if self.error is None else self.error.as_json()
        counts = {"written": self.written, "dropped": self.dropped, "failed": self.failed}
        return {"sink": self.name, **counts, "over_limit": self.over_limit, "error": error}


class Outbox:
    """Holds back a few things for a sink and gives them to it one by one."""

    def __init__(self, sink: Sink, name: str, *, lossless: bool, say: Callable[[str], None]) -> None:
        """Begin the thread.

        Args:
            sink: Used from that thread only, but for `wanted`.
            name: For people, without passwords.
            lossless: Whether time does not matter: then to wait for a patient sink instead of dropping.
            say: Told of the first failure, from that thread.
        """
        self.delivered = Delivered(name)
        self._sink, self._say = sink, say
        self._lossless = lossless and sink.patient
        self._left = sink.limit
        self._waiting: deque[Item] = deque()
        self._changed = threading.Condition()
        self._until: float | None = None
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._work, name="foveal-sink", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand over one thing if the sink wants it."""
        if (wanted := self._sink.wanted(item)) is None:
            return
        with self._changed:
            while self._lossless and len(self._waiting) >= self._sink.room:
                self._changed.wait()
            if self._left <= 0:
                self.delivered.over_limit += 1
                return
            if len(self._waiting) >= self._sink.room:
                self.delivered.dropped += 1
                return
            self._left -= 1
            self._waiting.append(wanted)
            self._changed.notify_all()

    def close(self) -> Delivered:
        """Wait until all is written, at most some seconds, and finish; return what became of it."""
        with self._changed:
            self._until = time.monotonic() + _CLOSING_S
            self._changed.notify_all()
        # A film writes what waits, however long that takes: whoever asked for a file wants a whole one.
        self._thread.join(None if self._lossless else _CLOSING_S)
        self._hurry.set()
        self._thread.join(_CLOSING_S)
        with self._changed:
            told = replace(self.delivered)  # a thread that hangs may still count
            told.dropped += len(self._waiting)
            self._waiting.clear()
        if self._sink.complete and told.dropped and told.error is None:
            wanted = told.written + told.lost
            told.error = TemporaryError(
                f"{told.dropped:,} of {wanted:,} were lost, as it was too slow", code="too_slow"
            )
        return told

    def _work(self) -> None:
        while (item := self._next()) is not None:
            self._deliver(item)
            self._done()
        try:
            self._sink.close()
        except Exception as error:
            self._failed(error)

    def _next(self) -> Item | None:
        with self._changed:
            while not self._waiting and self._until is None:
                self._changed.wait()
            if not self._waiting or self._hurry.is_set():
                return None
            return self._waiting[0]

    def _done(self) -> None:
        """Make room: until then what is on its way counts as waiting."""
        with self._changed:
            if self._waiting:
                self._waiting.popleft()
            self._changed.notify_all()

    def _deliver(self, item: Item) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                self._sink.write(item)
            except TemporaryError as error:
                wait = delay(attempt, first_s=_FIRST_S, most_s=_MOST_S)
                if attempt == _ATTEMPTS - 1 or self._hurry.wait(wait):
                    self._failed(error)
                    return
            except Exception as error:  # also a bug in a sink: the thread goes on, the exit code tells
                self._failed(error)
                return
            else:
                self.delivered.written += 1
                return

    def _failed(self, error: Exception) -> None:
        with self._changed:
            self._left += 1
        self.delivered.failed += 1
        if self.delivered.error is None:
            name = self.delivered.name
            if isinstance(error, OSError) and not isinstance(error, FovealError):
                error = WriteError(f"cannot write {name}: {error.strerror or error}", path=error.filename)
            elif not isinstance(error, FovealError):
                error = FovealError(f"{type(error).__name__}: {error}", code="internal")
            self.delivered.error = error
            if not self._hurry.is_set():  # later the summary tells
                self._say(f"sink {name} fails, the rest goes on: {error.message}")
