"""What a run of a line was like, in one document."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from foveal.core.errors import FovealError
from foveal.core.units import show_rate, show_seconds
from foveal.core.wording import counted
from foveal.station.sender import Told
from foveal.stream.ages import Ages
from foveal.stream.summary import told
from foveal.tasks.judging import VERDICTS

TOO_LATE = "too_late"


@dataclass
class Summary:
    """Counts and times of one run; what earlier runs decided is in the log.

    Attributes:
        verdicts: Decisions by verdict.
        reasons: By reason; one decision may have several.
        kinds: By kind of defect that was seen.
        skipped: Pictures that the log had already.
        beyond: Decisions that were told after the time that they have, in spite of everything.
        late_answers: Answers that came after their decision; they are in the log.
        told_again: Decisions of an earlier run that stdout was told of at the start.
        latencies: From when a picture was there to when its decision was told.
        seconds: Of the whole run.
        sinks: What became of the signals.
        notes: What people were told of the source.
        internal: A bug that was met; the part went to a person.
    """

    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    beyond: int = 0
    late_answers: int = 0
    told_again: int = 0
    latencies: Ages = field(default_factory=Ages)
    seconds: float = 0.0
    sinks: list[Told] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    internal: FovealError | None = None

    def add(self, record: dict[str, Any], now: float, latency_s: float, limit_s: float | None) -> None:
        """Count a decision that was told.

        Args:
            record: Its record.
            now: When it was told, in seconds of the monotonic clock.
            latency_s: Since its picture was there.
            limit_s: How long that may be.
        """
        self.verdicts[record["verdict"]] += 1
        self.reasons.update(record["reasons"])
        self.kinds.update(record["kinds"])
        self.latencies.add(now, latency_s * 1000)
        self.beyond += limit_s is not None and latency_s > limit_s

    @property
    def pictures(self) -> int:
        """How many pictures were decided."""
        return self.verdicts.total()

    @property
    def error(self) -> FovealError | None:
        """What has to be mended although the line went on, or None."""
        return next((sink.error for sink in self.sinks if sink.error is not None), self.internal)

    def as_json(self) -> dict[str, Any]:
        """Return the keys of `foveal.inspect.run/1` that are about the run."""
        spread = self.latencies.all()
        return {
            "pictures": self.pictures,
            "skipped": self.skipped,
            "verdicts": {verdict: self.verdicts[verdict] for verdict in VERDICTS},
            "reasons": dict(self.reasons.most_common()),
            "kinds": dict(self.kinds.most_common()),
            "latency_ms": None if spread is None else spread.as_json(),
            "too_late": self.reasons[TOO_LATE],
            "late_answers": self.late_answers,
            "beyond_latency": self.beyond,
            "told_again": self.told_again,
            "seconds": round(self.seconds, 3),
            "pictures_per_second": round(self._rate, 3),
            "sinks": [sink.as_json() for sink in self.sinks],
            "notes": self.notes,
            "error": None if self.error is None else self.error.as_json(),
        }

    def words(self) -> list[str]:
        """Return the same for people, in lines."""
        each = ", ".join(f"{self.verdicts[verdict]:,} {verdict}" for verdict in VERDICTS)
        again = f", {self.skipped:,} were decided before" if self.skipped else ""
        many = f"{counted(self.pictures, 'picture')} in {show_seconds(self.seconds)}"
        lines = [f"{many}, {show_rate(self._rate)}: {each}{again}"]
        if self.reasons:
            lines.append("because: " + ", ".join(f"{n:,} {why}" for why, n in self.reasons.most_common()))
        if (spread := self.latencies.all()) is not None:
            lines.append(f"told after {told(spread)}")
        if self.beyond:
            lines.append(f"{self.beyond:,} told after the time they have: the disk, or who reads, was slow")
        for sink in self.sinks:
            waiting = f", {sink.waiting:,} wait for the next start" if sink.waiting else ""
            why = f": {sink.error.message}" if sink.error else ""
            lines.append(f"sink {sink.name}: {sink.told:,} told{waiting}{why}")
        if self.internal is not None:
            lines.append(f"a bug was met, and its parts go to review: {self.internal.message}")
        return lines

    @property
    def _rate(self) -> float:
        return self.pictures / self.seconds if self.seconds else 0.0
