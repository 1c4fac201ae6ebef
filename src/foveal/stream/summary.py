"""What a stream was like, in one document."""

from dataclasses import dataclass, field
from typing import Any

from foveal.core.text import visible
from foveal.core.units import show_rate, show_seconds
from foveal.core.wording import counted
from foveal.stream.ages import Ages, Spread
from foveal.stream.outbox import Delivered
from foveal.stream.places import Counted


@dataclass
class Summary:
    """Counts and times; `frames + dropped + too_old + between = captured`, always.

    Attributes:
        frames: Frames that were told; `unreadable` ones among them.
        dropped: Frames that made room for newer ones, or that nobody took before the end.
        too_old: Frames that would have been told too late.
        between: Frames that a recognizer of clips is not shown: those that it learned from are further apart.
        captured: Frames that the source gave.
        damaged: Frames that the source could not give whole; not among those captured.
        unreadable: Pictures that could not be decoded; told with their error.
        events: How many states began or ended.
        reconnects: Attempts to get a source back.
        seconds: From the first attempt to read to the end.
        ages: Of the frames that were told.
        sinks: What became of what they wanted.
        monitor: Its state, or None where nobody watched.
        notes: What people were told of the source.
        counted: Where objects are followed: what was counted.
    """

    frames: int = 0
    dropped: int = 0
    too_old: int = 0
    between: int = 0
    captured: int = 0
    damaged: int = 0
    unreadable: int = 0
    events: int = 0
    reconnects: int = 0
    seconds: float = 0.0
    ages: Ages = field(default_factory=Ages)
    sinks: list[Delivered] = field(default_factory=list)
    monitor: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)
    counted: Counted | None = None

    @property
    def fps(self) -> float:
        """Frames told a second."""
        return self.frames / self.seconds if self.seconds else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the keys of `foveal.stream/1` that are about the run."""
        spread = self.ages.all()
        return {
            "frames": self.frames,
            "dropped": self.dropped,
            "too_old": self.too_old,
            **({"between": self.between} if self.between else {}),
            "captured": self.captured,
            "damaged": self.damaged,
            "unreadable": self.unreadable,
            "fps": round(self.fps, 3),
            "age_ms": None
            if spread is None
            else {
                **spread.as_json(),
                "first_minute": _as_json(self.ages.first_minute()),
                "last_minute": _as_json(self.ages.last_minute()),
            },
            "events": self.events,
            "reconnects": self.reconnects,
            "seconds": round(self.seconds, 3),
            "sinks": [sink.as_json() for sink in self.sinks],
            "notes": self.notes,
            **({} if self.monitor is None else {"monitor": self.monitor}),
            **({} if self.counted is None else {"followed": dict(self.counted.followed)}),
            **({} if self.counted is None else self.counted.as_json()),
        }

    def words(self) -> list[str]:
        """Return the same for people, in lines."""
        rest = {"dropped": self.dropped, "too old": self.too_old, "damaged": self.damaged}
        rest |= {"unreadable": self.unreadable}
        said = "".join(f", {number:,} {what}" for what, number in rest.items() if number)
        frames = f"{counted(self.frames, 'frame')}{said}, {counted(self.events, 'event')}"
        lines = [f"{frames} in {show_seconds(self.seconds)}, {show_rate(self.fps)}"]
        spread = self.ages.all()
        if spread is not None:
            lines.append(f"age {told(spread)}")
            first, last = self.ages.first_minute(), self.ages.last_minute()
            if self.seconds > 90 and first and last:
                lines.append(f"first minute {told(first)}; last minute {told(last)}")
        if self.counted is not None:
            each = ", ".join(f"{number} {visible(name)}" for name, number in self.counted.followed.items())
            lines += [f"followed: {each or 'nothing'}", *self.counted.words()]
        if self.too_old and not self.frames:
            lines.append("every frame was too old: the recognizer needs longer than --max-latency")
        if self.reconnects:
            lines.append(f"asked for the source again {counted(self.reconnects, 'time')}")
        for sink in self.sinks:
            lost = f", {sink.lost:,} lost" if sink.lost else ""
            full = f", {sink.over_limit:,} beyond --max-rejects" if sink.over_limit else ""
            why = f": {sink.error.message}" if sink.error else ""
            lines.append(f"sink {sink.name}: {sink.written:,} written{full}{lost}{why}")
        return lines


def told(spread: Spread) -> str:
    """Return a spread for people."""
    p50, p99, largest = (show_seconds(ms / 1000) for ms in (spread.p50, spread.p99, spread.largest))
    return f"p50 {p50}, p99 {p99}, largest {largest}"


def _as_json(spread: Spread | None) -> dict[str, Any] | None:
    return None if spread is None else spread.as_json()
