"""Is an inspection better than people? Exact tests of its misses and false calls against stated ones."""

from dataclasses import dataclass
from typing import Any, Literal

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.metrics.binomial_cdf import binomial_cdf
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.metrics.fisher_exact import fisher_exact

LEVEL = 0.05
Finding = Literal["better", "worse", "not shown"]


@dataclass(frozen=True)
class Compared:
    """One rate of errors beside that of people.

    Attributes:
        machine: Measured share.
        people: Share that was stated; with the number of parts it rests on also its interval.
        p_value: Probability of so different numbers, or more different ones, if both were the same.
        verdict: `better` or `worse` where the p-value is at most 5 %, else `not shown`.
    """

    machine: Measured
    people: Measured | float
    p_value: float
    verdict: Finding

    def as_json(self) -> dict[str, Any]:
        """Return it in values that JSON knows."""
        people = self.people if isinstance(self.people, float) else self.people.as_json()
        return {
            "machine": self.machine.as_json(),
            "people": people,
            "p_value": self.p_value,
            "verdict": self.verdict,
        }


def compared(events: int, n: int, *, rate: float, people: int | None = None) -> Compared:
    """Return whether a measured rate of errors is lower than that of people.

    Args:
        events: Errors of the machine, 0 to `n`.
        n: Independent parts that it could have made one at, at least 1.
        rate: Share of errors of people.
        people: How many parts that rests on: then it is Fisher's exact test, with `rate · people` errors
            rounded to a whole number. None: the rate is taken as known, and the test is binomial.

    Raises:
        UsageError: The numbers are not such.
    """
    if not 0 <= rate <= 1 or (people is not None and people < 1):
        raise UsageError(f"people's rate is a share in [0, 1] of at least one part; got {rate} of {people}")
    machine = clopper_pearson(events, n)
    stated: Measured | float = float(rate)
    if people is None:
        fewer, more = binomial_cdf(events, n, rate), 1 - binomial_cdf(events - 1, n, rate)
        p_value, theirs = min(1.0, 2 * min(fewer, more)), rate
    else:
        errors = round(rate * people)
        p_value, theirs = fisher_exact(events, n, errors, people), errors / people
        stated = clopper_pearson(errors, people)
    verdict: Finding = "not shown"
    if p_value <= LEVEL:
        verdict = "better" if events / n < theirs else "worse"
    return Compared(machine, stated, p_value, verdict)
