"""What is told of one frame."""

from dataclasses import dataclass, field
from typing import Any

from foveal.bundle.predictor import Unreadable
from foveal.bundle.rolling import WarmingUp
from foveal.core.types import Label, Sighting
from foveal.stream.places import Counted
from foveal.stream.shot import Picture


@dataclass(frozen=True)
class Shown:
    """One answered frame.

    Attributes:
        frame: Its number among all that were captured, from 0.
        time_s: Time in the film or since the start, in seconds.
        age_ms: From capture to the moment when this was told.
        dropped: How many frames were captured since the last one that was told, and are not told.
        answer: What is on it, or why it could not be read; of a recognizer of clips: what is on the last
            frames, or how many are missing.
        picture: Pixels or file content, for sinks that keep pictures.
        source: Name of the file it came from, or None.
        counted: Of a film in which objects are followed: what was counted up to this frame.
    """

    frame: int
    time_s: float
    age_ms: float
    dropped: int
    answer: Label | Sighting | Unreadable | WarmingUp
    picture: Picture | None = field(repr=False)
    source: str | None = None
    counted: Counted | None = None

    @property
    def refused(self) -> bool:
        """Whether the recognizer declines to answer, or takes it for something unknown."""
        return isinstance(self.answer, Label) and bool(self.answer.abstain or self.answer.unknown)

    def as_json(self, *, scores: bool = False) -> dict[str, Any]:
        """Return the contract's line: with `result`, or with `error` where it could not be read.

        While a recognizer of clips warms up, `result` is null and `warming_up` tells how many frames are
        missing.

        Args:
            scores: Whether to tell the probability of every class.
        """
        said = told = self.answer.as_json()
        if not isinstance(self.answer, WarmingUp):
            del told["source"]
            said = {"error": told["error"]} if isinstance(self.answer, Unreadable) else {"result": told}
        if not scores:
            told.pop("scores", None)
        return {
            "frame": self.frame,
            "time_s": round(self.time_s, 6),
            "age_ms": round(self.age_ms, 3),
            **({} if self.source is None else {"source": self.source}),
            **said,
            **({} if self.counted is None else self.counted.as_json()),
            "dropped": self.dropped,
        }
