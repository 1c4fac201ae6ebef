"""Watch a recognizer at work: do its answers and its pictures still look like those of the calibration?

Three questions, each with a probability of at most 1 % of ever being answered "no" without cause, as long as
the pictures are drawn as those of the calibration were: independent, or in an order that means nothing.
"""

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from foveal.core.errors import UsageError
from foveal.core.types import Label
from foveal.data.dataset import UInt8
from foveal.data.pixels.quality import quality
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.monitor.band import Band
from foveal.monitor.drift import Drift
from foveal.tasks.classify.decode import Decision
from foveal.tasks.classify.reference import Range, Rate, Reference, doubt

SCHEMA = "foveal.monitor/1"
FALSE_ALARM = 0.01  # of each of the three questions, ever
THRESHOLDS = (
    100  # at most so many did a calibration choose from, by the pictures that count the rejected ones
)
_SIDES = ("below", "above")


@dataclass(frozen=True)
class Seen:
    """What a monitor notes of one picture.

    Attributes:
        confidence: Of the answer.
        rejected: Whether it declined to answer; None where it never does.
        unknown: Score for unknown objects, larger for stranger ones; None where there is none.
        quality: Properties of the picture; None where nobody looked.
    """

    confidence: float
    rejected: bool | None
    unknown: float | None = None
    quality: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Alarm:
    """A sign that something has changed.

    Attributes:
        kind: `scores`, `rejected` or `quality`.
        what: The score or property.
        at: At which picture it was raised.
        side: Whether there are more (`above`) or fewer; None of a score.
        message: The same for people.
    """

    kind: str
    what: str
    at: int
    side: str | None
    message: str


def seen(answer: Label, image: UInt8 | None = None, *, unknown: float | None = None) -> Seen:
    """Return what a monitor notes of an answer and, where it is given, of its picture at model size.

    Args:
        answer: Of the recognizer.
        image: uint8 (S, S, C).
        unknown: The score for unknown objects, where another one than the answer's own is meant.
    """
    properties = None if image is None else quality(image)
    refusals = [said for said in (answer.abstain, answer.unknown) if said is not None]
    score = answer.strangeness if unknown is None else unknown
    return Seen(answer.confidence, any(refusals) if refusals else None, score, properties)


class Monitor:
    """Counts and bets; it may be used from any number of threads, and keeps no picture.

    Its memory does not grow with the pictures. Equal pictures in equal order give an equal state, whether or
    not it was written down and read again in between.
    """

    def __init__(self, decision: Decision, *, seed: int = 0) -> None:
        """Begin with the reference that a bundle keeps of its calibration.

        Args:
            decision: Of the bundle.
            seed: Of the random parts of p-values.

        Raises:
            UsageError: `no_reference`: the bundle keeps none.
        """
        self._reference = _reference_of(decision)
        self._lock = threading.Lock()
        scores = {"doubt": self._reference.doubt, "unknown": self._reference.unknown}
        there = {name: kept for name, kept in scores.items() if kept}
        limit = len(there) / FALSE_ALARM
        self._drifts = {n: Drift(kept, limit=limit, seed=seed, purpose=n) for n, kept in there.items()}
        self._rejected = _band(self._reference.rejected, choices=THRESHOLDS)
        share = FALSE_ALARM / max(1, len(_SIDES) * len(self._reference.quality))
        self._quality = {
            name: [Band(_rate(place, side), false_alarm=share, only="above") for side in _SIDES]
            for name, place in self._reference.quality.items()
        }

    def observe(self, answer: Label, image: UInt8 | None = None, *, unknown: float | None = None) -> None:
        """Take in one answer.

        Args:
            answer: Of the recognizer.
            image: The picture at model size, uint8 (S, S, C); None: its properties are not looked at.
            unknown: The score for unknown objects; None: that of the answer, where it has one.
        """
        self.note(seen(answer, image, unknown=unknown))

    def note(self, one: Seen) -> None:
        """Take in what was noted of one picture."""
        scores = {"doubt": doubt(one.confidence), "unknown": one.unknown}
        with self._lock:
            for name, drift in self._drifts.items():
                score = scores[name]
                if score is not None:
                    drift.see(score)
            if self._rejected is not None and one.rejected is not None:
                self._rejected.see(one.rejected)
            if one.quality is not None:
                for name, bands in self._quality.items():
                    place, value = self._reference.quality[name], one.quality[name]
                    bands[0].see(value < place.low)
                    bands[1].see(value > place.high)

    def alarms(self) -> list[Alarm]:
        """Return every sign that something has changed, in the order in which they came; none is lost."""
        with self._lock:
            return self._alarms()

    def _alarms(self) -> list[Alarm]:
        found = [_of_scores(name, drift) for name, drift in self._drifts.items() if drift.alarm is not None]
        if self._rejected is not None and self._rejected.alarm is not None:
            found.append(_of_rejected(self._rejected))
        for name, bands in self._quality.items():
            for side, band in zip(_SIDES, bands, strict=True):
                if band.alarm is not None:
                    found.append(_of_quality(name, side, band))
        return sorted(found, key=lambda alarm: alarm.at)

    def state(self) -> dict[str, Any]:
        """Return what is known now, in values that JSON knows.

        `verdict` is `changed` after an alarm, else `no_sign`, which proves nothing.
        """
        with self._lock:
            alarms = self._alarms()
            return {
                "schema": SCHEMA,
                "pictures": self._drifts["doubt"].seen if self._drifts else 0,
                "verdict": "changed" if alarms else "no_sign",
                "alarms": [asdict(alarm) for alarm in alarms],
                "false_alarm": FALSE_ALARM,
                "kind": "indicator",
                "scores": {name: drift.summary() for name, drift in self._drifts.items()},
                "rejected": None if self._rejected is None else _share(self._rejected),
                "quality": {
                    name: {
                        "low": self._reference.quality[name].low,
                        "high": self._reference.quality[name].high,
                        **{side: _share(band) for side, band in zip(_SIDES, bands, strict=True)},
                    }
                    for name, bands in self._quality.items()
                },
            }

    def to_json(self) -> dict[str, Any]:
        """Return all that decides how it goes on, in values that JSON knows: a few kilobytes to 100 kB."""
        with self._lock:
            return {
                "schema": SCHEMA,
                "reference": self._reference.model_dump(mode="json"),
                "drifts": {name: drift.to_json() for name, drift in self._drifts.items()},
                "rejected": None if self._rejected is None else self._rejected.to_json(),
                "quality": {name: [b.to_json() for b in bands] for name, bands in self._quality.items()},
            }

    @classmethod
    def from_json(cls, document: Mapping[str, Any], decision: Decision) -> "Monitor":
        """Return the monitor that `to_json` described; it goes on as that one would have.

        Args:
            document: What it returned.
            decision: Of the bundle that is watched.

        Raises:
            UsageError: `no_reference`; `other_bundle`: it watched another one; `bad_state`: it is no such
                description.
        """
        monitor = cls(decision)
        if document.get("schema") != SCHEMA:
            raise UsageError(f"no state of a monitor: {document.get('schema')!r}", code="bad_state")
        if document.get("reference") != monitor._reference.model_dump(mode="json"):
            raise UsageError("this is the state of a monitor of another bundle", code="other_bundle")
        try:
            drifts, quality_bands = dict(document["drifts"]), dict(document["quality"])
            rejected = document["rejected"]
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"no state of a monitor: {error!r}", code="bad_state") from error
        if (set(drifts), set(quality_bands), rejected is None) != (
            set(monitor._drifts),
            set(monitor._quality),
            monitor._rejected is None,
        ):
            raise UsageError("no state of a monitor: it counts something else", code="bad_state")
        monitor._drifts = {name: Drift.from_json(kept) for name, kept in drifts.items()}
        monitor._rejected = None if rejected is None else Band.from_json(rejected)
        monitor._quality = {n: [Band.from_json(b) for b in bands] for n, bands in quality_bands.items()}
        return monitor


def _reference_of(decision: Decision) -> Reference:
    if decision.monitor is None:
        raise UsageError(
            "this bundle keeps nothing of its calibration that later pictures could be compared with",
            code="no_reference",
            hint="bundles that this version calibrates do: foveal export RUN --out F.foveal makes one",
        )
    return decision.monitor


def _band(expected: Rate | None, *, choices: int) -> Band | None:
    return None if expected is None else Band(expected, false_alarm=FALSE_ALARM, choices=choices)


def _rate(place: Range, side: str) -> Rate:
    return Rate(count=place.below if side == "below" else place.above, n=place.n)


def _share(band: Band) -> dict[str, Any]:
    now = band.window
    return {
        "expected": clopper_pearson(band.expected.count, band.expected.n).as_json(),
        "window": None if now is None else clopper_pearson(now.count, now.n).as_json(),
    }


def _of_scores(name: str, drift: Drift) -> Alarm:
    what = {"doubt": "confidence", "unknown": "score for unknown objects"}[name]
    message = (
        f"the {what} is not distributed as at the calibration: after {drift.alarm} pictures the evidence "
        f"reached {drift.limit:g} to 1"
    )
    return Alarm("scores", name, drift.alarm or 0, None, message)


def _of_rejected(band: Band) -> Alarm:
    more = "more" if band.side == "above" else "fewer"
    message = f"{more} pictures are declined than the {band.low:.1%} to {band.high:.1%} of the calibration"
    return Alarm("rejected", "rejected", band.alarm or 0, band.side, message)


def _of_quality(name: str, side: str, band: Band) -> Alarm:
    less = "lower" if side == "below" else "higher"
    message = f"{name} is {less} than usual in more than the {band.high:.1%} that it may be"
    return Alarm("quality", name, band.alarm or 0, side, message)
