"""What a source gives, and what it shares with the stream that it runs in."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import FovealError

Picture = NDArray[np.uint8] | bytes
"""Pixels, uint8 (H, W, 3), or the content of a picture file."""


@dataclass(frozen=True)
class Shot:
    """One picture that a source has captured.

    Attributes:
        captured: When, in seconds of the monotonic clock.
        time_s: Time in the film or since the start, in seconds; never goes back.
        look: Returns the picture. It is called at most once, and only if the picture is wanted, so what
            costs time and is not needed for the next picture belongs there.
        source: Name of the file it came from, or None.
        begins: Whether it follows on nothing: the first of a film or of a connection.
    """

    captured: float
    time_s: float
    look: Callable[[], Picture] = field(repr=False)
    source: str | None = None
    begins: bool = False


@dataclass(frozen=True)
class Incident:
    """Something that happened to a source.

    Attributes:
        what: `lost`, `back`, `drift` of the monitor, or `note`, which is only said to people.
        message: The same for people.
        seconds: Of `back`: for how long there was no picture. Else None.
    """

    what: str
    message: str
    seconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the `event` object of a line."""
        told: dict[str, Any] = {"what": self.what, "message": self.message}
        return told if self.seconds is None else {**told, "seconds": round(self.seconds, 3)}


@dataclass
class Running:
    """What the thread of a source and the stream tell each other.

    Attributes:
        stop: Set when nobody wants more pictures; a source that waits, waits for this.
        incidents: Put in by the source, taken out by the stream.
        damaged: Pictures that never became one, as the data for them are damaged or what they build on is.
        reconnects: How often a source that was lost was asked again.
    """

    stop: threading.Event = field(default_factory=threading.Event)
    incidents: deque[Incident] = field(default_factory=lambda: deque(maxlen=1000))
    damaged: int = 0
    reconnects: int = 0
    noted: set[str] = field(default_factory=set)

    def note(self, message: str) -> None:
        """Tell people something once."""
        if message not in self.noted:
            self.noted.add(message)
            self.incidents.append(Incident("note", message))

    def lost(self, error: FovealError) -> None:
        """Say that there are no pictures, and why."""
        self.incidents.append(Incident("lost", error.message))
