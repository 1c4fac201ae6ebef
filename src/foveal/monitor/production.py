"""What came of the parts of a line, lot by lot, and whether that has changed: one walk through its log.

Only lots, days and kinds of defects take memory, so a log may be as long as it likes.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from foveal.core.errors import DataError
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.monitor.band import Band
from foveal.monitor.drift import Drift
from foveal.tasks.classify.reference import Rate
from foveal.tasks.judging import VERDICTS

BASELINE = 500  # first decisions, that later ones are compared with
FALSE_ALARM = 0.01  # of all verdicts together; the scores have as much
UNNAMED = "–"  # of a lot


@dataclass
class Tally:
    """What was counted of some parts.

    Attributes:
        first, last: Times of the first and the last decision.
        verdicts: How many parts got each.
        kinds: How many rejected parts showed each kind of defect; one that shows two counts for both.
        reasons: How many reviews had each reason.
    """

    first: str = ""
    last: str = ""
    verdicts: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def n(self) -> int:
        """How many parts."""
        return self.verdicts.total()

    def add(self, record: Mapping[str, Any]) -> None:
        """Count one decision."""
        self.first, self.last = self.first or record["time"], record["time"]
        self.verdicts[record["verdict"]] += 1
        if record["verdict"] == "reject":
            self.kinds.update(set(record.get("kinds") or ()))
        if record["verdict"] == "review":
            self.reasons.update(set(record.get("reasons") or ()))

    def as_json(self) -> dict[str, Any]:
        """Return it in values that JSON knows: of each verdict the share with its exact interval."""
        shares: dict[str, Any] = {
            name: clopper_pearson(self.verdicts[name], self.n).as_json() for name in VERDICTS
        }
        return {"first": self.first, "last": self.last, "parts": self.n, **shares}


class Production:
    """The statistics of a line; `add` takes the records of its log in their order.

    Attributes:
        whole: Of all decisions.
        lots: By lot, in the order in which they began.
        days: By day, in UTC.
        bundles: Digests of the bundles that decided.
        scores: Evidence that scores are not as those of the first decisions; None before there are so many.
        shares: By verdict, whether its share has left that of the first decisions; empty before.
        alarms: What has changed, and at which part that was clear. Where nothing has, scores raise one with a
            probability of at most 1 %, and the verdicts together with another 1 %.
    """

    def __init__(self, *, baseline: int = BASELINE) -> None:
        """Begin.

        Args:
            baseline: How many of the first decisions later ones are compared with, at least 1.
        """
        self.whole = Tally()
        self.lots: dict[str, Tally] = {}
        self.days: dict[str, Tally] = {}
        self.bundles: dict[str, int] = {}
        self.scores: Drift | None = None
        self.shares: dict[str, Band] = {}
        self.alarms: list[dict[str, Any]] = []
        self._first: list[float] = []
        self._baseline = baseline

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]], *, baseline: int = BASELINE) -> "Production":
        """Return the statistics of all decisions among the records of a log.

        Raises:
            DataError: `bad_log`: a record lacks what a decision has.
        """
        found = cls(baseline=baseline)
        for record in records:
            if record.get("what", "decision") == "decision":
                found.add(record)
        return found

    def add(self, record: Mapping[str, Any]) -> None:
        """Count the next decision.

        Raises:
            DataError: `bad_log`: it lacks what a decision has.
        """
        verdict, time, score = record.get("verdict"), record.get("time"), record.get("score")
        if verdict not in VERDICTS or not isinstance(time, str) or not isinstance(score, float | int | None):
            raise DataError("a record of the log is no decision", code="bad_log")
        lot = str(record.get("lot") or UNNAMED)
        for tally in (
            self.whole,
            self.lots.setdefault(lot, Tally()),
            self.days.setdefault(time[:10], Tally()),
        ):
            tally.add(record)
        bundle = str(record.get("bundle") or "")
        self.bundles[bundle] = self.bundles.get(bundle, 0) + 1
        if self.whole.n <= self._baseline:
            self._begin(score)
        else:
            self._compare(verdict, score)

    def _begin(self, score: float | None) -> None:
        """Keep what later parts are compared with."""
        if score is not None:
            self._first.append(float(score))
        if self.whole.n == self._baseline:
            self.scores = Drift(tuple(self._first), limit=1 / FALSE_ALARM, purpose="inspection")
            each = FALSE_ALARM / len(VERDICTS)
            self.shares = {
                name: Band(Rate(count=self.whole.verdicts[name], n=self._baseline), false_alarm=each)
                for name in VERDICTS
            }

    def _compare(self, verdict: str, score: float | None) -> None:
        """Compare a part with the first ones, and note the first alarm of each kind."""
        drift = self.scores
        if drift is not None and score is not None:
            before = drift.alarm
            drift.see(float(score))
            if drift.alarm != before:
                self._raise(
                    "scores",
                    f"scores are not distributed as those of the first {self._baseline} parts: the evidence "
                    f"reached {drift.limit:g} to 1",
                )
        for name, band in self.shares.items():
            earlier = band.alarm
            band.see(verdict == name)
            if band.alarm != earlier:
                side = "more" if band.side == "above" else "fewer"
                self._raise(
                    name,
                    f"{side} parts get {name} than the {band.low:.1%} to {band.high:.1%} "
                    f"that the first {self._baseline} allow",
                )

    def _raise(self, what: str, message: str) -> None:
        self.alarms.append({"what": what, "part": self.whole.n, "message": message})

    def pareto(self) -> list[dict[str, Any]]:
        """Return the kinds of defects, the most frequent first.

        Each has its number of rejected parts, its share of all that was counted, the share of it and those
        before, and its numbers by day.
        """
        total, so_far, rows = self.whole.kinds.total(), 0, []
        for kind, count in sorted(self.whole.kinds.items(), key=lambda one: (-one[1], one[0])):
            so_far += count
            days = {day: tally.kinds[kind] for day, tally in self.days.items() if tally.kinds[kind]}
            rows.append(
                {
                    "kind": kind,
                    "parts": count,
                    "share": count / total,
                    "cumulative": so_far / total,
                    "days": days,
                }
            )
        return rows
