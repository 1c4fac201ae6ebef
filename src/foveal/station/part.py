"""The parts that are in a line at one moment, shared by the threads that work on them."""

import threading
import time
from collections import deque
from dataclasses import dataclass

from foveal.bundle.inspecting import Inspected
from foveal.station.taking import Given

_LATE_S = 2.0  # at the end, for answers that are still expected and too late already


@dataclass(eq=False)
class Part:
    """A picture on its way to its decision.

    Attributes:
        given: The picture.
        begun: From when its time counts, in seconds of the monotonic clock.
        due: When it has to be decided; None: whenever it is.
        answer: What was found, once it was.
        answered: When.
        given_up: Whether it is decided without an answer.
        n: Number of its record, once it has one.
    """

    given: Given
    begun: float
    due: float | None
    answer: Inspected | None = None
    answered: float = 0.0
    given_up: bool = False
    n: int | None = None


class Parts:
    """All of them: one thread takes them in, some look at them, one decides in the order they came."""

    def __init__(self) -> None:
        """Begin with none."""
        self._pending: deque[Part] = deque()  # not decided
        self._waiting: deque[Part] = deque()  # among them those that nobody has begun to look at
        self._late: deque[Part] = deque()  # answered after they were given up
        self._expected = 0  # given up while somebody looked at them
        self._ended = self._stopped = False
        self._changed = threading.Condition()

    def add(self, part: Part) -> None:
        """Take one in; where it has its answer already, nobody looks at it."""
        with self._changed:
            self._pending.append(part)
            if part.answer is None:
                self._waiting.append(part)
            self._changed.notify_all()

    def end(self) -> None:
        """Say that no further one comes."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Let those who look at parts end, whatever waits."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def room(self, stop: threading.Event) -> bool:
        """Wait until somebody has begun to look at every part; return False where `stop` is set before."""
        with self._changed:
            while self._waiting and not stop.is_set():
                self._changed.wait(0.1)
        return not stop.is_set()

    def take(self) -> Part | None:
        """Return the next part to look at; None where there will be none.

        The newest first: where more come than can be looked at, the oldest would all be too late in the end.
        """
        with self._changed:
            while not self._waiting and not self._ended and not self._stopped:
                self._changed.wait()
            if self._stopped or not self._waiting:
                return None
            part = self._waiting.pop()
            self._changed.notify_all()
            return part

    def answer(self, part: Part, answer: Inspected) -> None:
        """Take in what was found."""
        with self._changed:
            part.answer, part.answered = answer, time.monotonic()
            if part.given_up:
                self._late.append(part)
                self._expected -= 1
            self._changed.notify_all()

    def due(self) -> tuple[list[Part], list[Part]] | None:
        """Wait for parts that can or must be decided now.

        Returns:
            Those, in order: with their answer, or given up; and others whose answer came after they had been
            given up. None at the end.
        """
        with self._changed:
            until: float | None = None
            while True:
                decided = self._ready()
                late = list(self._late)
                self._late.clear()
                if decided or late:
                    return decided, late
                if self._ended and not self._pending:
                    until = until or time.monotonic() + _LATE_S
                    if not self._expected or time.monotonic() >= until:
                        return None
                self._changed.wait(self._patience(until))

    def _ready(self) -> list[Part]:
        found, now = [], time.monotonic()
        while self._pending:
            part = self._pending[0]
            if part.answer is not None:
                part.given_up = part.due is not None and part.answered > part.due
                if part.given_up:
                    self._late.append(part)
            elif part.due is not None and now >= part.due:
                part.given_up = True
                if part in self._waiting:
                    self._waiting.remove(part)
                else:
                    self._expected += 1
            else:
                break
            found.append(self._pending.popleft())
        return found

    def _patience(self, until: float | None) -> float | None:
        """Return for how long nothing has to be done, in seconds; None: until something happens."""
        due = self._pending[0].due if self._pending else until
        return None if due is None else max(0.0, due - time.monotonic())
