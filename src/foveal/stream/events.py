"""From answers, which flicker, to events: something came, something went."""

from collections import deque
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """A state began or ended.

    Attributes:
        what: `enter` or `leave`.
        label: Of the state.
        frame: Number of the first frame of the new state, or of the one that ended it.
        start_s: When the state began, in seconds of the film.
        duration_s: Of `leave`: how long it lasted. Else None.
        frames: Of `leave`: on how many answered frames it was seen. Else None.
        confidence: Mean over the frames that it was seen on so far.
    """

    what: str
    label: str
    frame: int
    start_s: float
    duration_s: float | None
    frames: int | None
    confidence: float

    def as_json(self) -> dict[str, Any]:
        """Return the `event` object of a line; of `enter` without what is not known yet."""
        told = {
            "what": self.what,
            "label": self.label,
            "frame": self.frame,
            "start_s": round(self.start_s, 6),
            "duration_s": None if self.duration_s is None else round(self.duration_s, 6),
            "frames": self.frames,
            "confidence": round(self.confidence, 6),
        }
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True)
class Sight:
    """What one answered frame says.

    Attributes:
        frame: Its number; rises.
        time_s: In seconds of the film.
        label: None where the recognizer declines, or sees nothing that is watched for.
        confidence: Of the label.
    """

    frame: int
    time_s: float
    label: str | None
    confidence: float


class Events:
    """The state is what the last `hold` frames agree on; until they do, it stays what it was.

    So frames that decline neither begin nor end a state unless there are `hold` of them in a row, and two
    changes are never less than `hold` frames apart.
    """

    def __init__(self, hold: int) -> None:
        """Begin without a state.

        Args:
            hold: How many frames in a row make a state, at least 1.
        """
        self._hold = hold
        self._label: str | None = None
        self._run: deque[Sight] = deque(maxlen=hold)  # the latest frames that say the same
        self._begun: Sight | None = None
        self._last: Sight | None = None
        self._frames, self._sum = 0, 0.0

    def see(self, sight: Sight) -> list[Event]:
        """Take in one frame; return the events that it completes: none, one, or a `leave` with an `enter`."""
        self._last = sight
        if self._run and self._run[-1].label != sight.label:
            self._run.clear()
        self._run.append(sight)
        if sight.label == self._label:
            self._count(sight)
            return []
        if len(self._run) < self._hold:
            return []
        first = self._run[0]
        events = self._left(first)
        self._label, self._begun = sight.label, first
        self._frames, self._sum = 0, 0.0
        for seen in self._run:
            self._count(seen)
        if sight.label is not None:
            mean = self._sum / self._frames
            events.append(Event("enter", sight.label, first.frame, first.time_s, None, None, mean))
        return events

    def end(self) -> list[Event]:
        """Return the event that ends the state which is there, at the last frame that was seen."""
        events = [] if self._last is None else self._left(self._last)
        self._label = None
        self._run.clear()
        return events

    def _count(self, sight: Sight) -> None:
        self._frames += 1
        self._sum += sight.confidence

    def _left(self, at: Sight) -> list[Event]:
        if self._label is None or self._begun is None:
            return []
        start = self._begun.time_s
        mean = self._sum / self._frames
        return [Event("leave", self._label, at.frame, start, at.time_s - start, self._frames, mean)]
