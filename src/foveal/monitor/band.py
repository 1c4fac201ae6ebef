"""Has a rate left what the calibration allows? Exact, however long and often one looks.

The true rate lies in an exact interval around that of the calibration (Clopper & Pearson, 1934), but for a
probability of α / 2. Every 50 pictures the last 200 are judged by the exact binomial distribution at the
nearer end of the interval; look j spends α / (2 j (j + 1)) of the other half (alpha spending: Lan & DeMets,
1983), and all looks together no more than it has. That sum needs no independence: windows may overlap.
"""

from typing import Any

from foveal.core.errors import UsageError
from foveal.metrics.binomial_cdf import binomial_cdf
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks.classify.reference import Rate

STRIDE, KEPT = 50, 4  # pictures between two looks; strides in a window


class Band:
    """A rolling rate against its expected one; not thread-safe by itself.

    Attributes:
        expected: What the calibration saw.
        low, high: The interval for the true rate.
        seen: Pictures so far.
        alarm: At which picture a window was found outside first; None: never.
        side: `above` or `below` for the first such window.
    """

    def __init__(
        self, expected: Rate, *, false_alarm: float, choices: int = 1, only: str | None = None
    ) -> None:
        """Begin with what the calibration saw.

        Args:
            expected: Of independent pictures.
            false_alarm: α: the largest probability of ever raising an alarm without cause, in (0, 1).
            choices: From so many thresholds the one that is counted was chosen by the same pictures; each
                is allowed for (Bonferroni).
            only: `above` or `below`: the side that is looked at; None: both.
        """
        self.expected, self.only = expected, only
        self._alpha, self._choices = false_alarm, choices
        interval = clopper_pearson(expected.count, expected.n, 1 - false_alarm / 2 / choices)
        self.low, self.high = interval.low, interval.high
        self._strides = [0]  # the last counts; the last of them is not full yet
        self.seen = 0
        self.alarm: int | None = None
        self.side: str | None = None

    @property
    def window(self) -> Rate | None:
        """What was counted in the last 150 to 200 pictures and those since the last look; None before any."""
        n = (len(self._strides) - 1) * STRIDE + self.seen % STRIDE
        return Rate(count=sum(self._strides), n=n) if n else None

    def see(self, happened: bool) -> None:
        """Take in the next picture."""
        self._strides[-1] += int(happened)
        self.seen += 1
        if self.seen % STRIDE == 0:
            self._look()
            self._strides = [*self._strides[1 - KEPT :], 0]

    def _look(self) -> None:
        if self.alarm is not None:
            return
        look, sides = self.seen // STRIDE, 1 if self.only else 2
        spent = self._alpha / 2 / (look * (look + 1)) / sides
        count, n = sum(self._strides), len(self._strides) * STRIDE
        above = binomial_cdf(n - count, n, 1 - self.high)  # of as many pictures or more; 1 where high is 1
        below = binomial_cdf(count, n, self.low)
        for side, chance in (("above", above), ("below", below)):
            if self.only in (None, side) and chance <= spent:
                self.alarm, self.side = self.seen, side

    def to_json(self) -> dict[str, Any]:
        """Return all that decides how it goes on, in values that JSON knows."""
        return {
            "expected": self.expected.model_dump(),
            "false_alarm": self._alpha,
            "choices": self._choices,
            "only": self.only,
            "strides": list(self._strides),
            "seen": self.seen,
            "alarm": self.alarm,
            "side": self.side,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Band":
        """Return what `to_json` described.

        Raises:
            UsageError: It is no such description.
        """
        try:
            band = cls(
                Rate(**document["expected"]),
                false_alarm=document["false_alarm"],
                choices=document["choices"],
                only=document["only"],
            )
            band._strides = [int(count) for count in document["strides"]]
            band.seen, band.alarm, band.side = document["seen"], document["alarm"], document["side"]
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"no state of a monitor: {error!r}", code="bad_state") from error
        return band
