"""What a certificate can say something about, and the three ways to say how sure it is."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

from foveal.certify.statement import Evidence, Statement
from foveal.core.types import Measured
from foveal.metrics.binomial_cdf import binomial_cdf
from foveal.metrics.clopper_pearson import clopper_pearson

Kind = Literal["guarantee", "upper_bound", "estimate", "indicator"]
Side = Literal["at_least", "at_most"]

_NORMAL = NormalDist()
_MOST_NEEDED = 10**8  # pictures that nobody has: "no number decides" is the honest answer


@dataclass(frozen=True)
class Claim:
    """A number that a measurement will state.

    Attributes:
        key: Stable snake_case name; a profile sets its limit by it.
        name: For people.
        kind: `guarantee`: holds with a stated probability for pictures like these; `upper_bound`: an attack
            found this much, a better one finds more; `estimate`: what these pictures show; `indicator`:
            something to look at, no statement about other pictures.
        side: Which side of a limit is good.
    """

    key: str
    name: str
    kind: Kind
    side: Side = "at_least"

    def share(
        self, successes: int, n: int, *, note: str = "", seed: int = 0, details: dict[str, Any] | None = None
    ) -> Statement:
        """Return what a share of independent pictures says, decided by exact binomial tests.

        Args:
            successes: How many of the pictures.
            n: Of how many, ≥ 1.
            note: How it was measured.
            seed: Of what was drawn for it.
            details: More that belongs to it, as JSON.
        """

        def evidence(limit: float) -> Evidence:
            above, below = 1 - binomial_cdf(successes - 1, n, limit), binomial_cdf(successes, n, limit)
            good, bad = (above, below) if self.side == "at_least" else (below, above)
            return Evidence(good, bad, lambda level: _needed_for_share(successes / n, n, limit, level))

        return Statement(self, clopper_pearson(successes, n), evidence, note, seed, details or {})

    def estimate(
        self, value: Measured, *, note: str = "", seed: int = 0, details: dict[str, Any] | None = None
    ) -> Statement:
        """Return what a number says that is no share, decided by a normal test.

        The standard error is the interval's half on the side of the limit over 1.96: intervals of resampling
        are skewed where the number is, and so is the test.

        Args:
            value: With its 95 % interval.
            note: How it was measured.
            seed: Of what was drawn for it.
            details: More that belongs to it, as JSON.
        """

        def evidence(limit: float) -> Evidence:
            half = value.value - value.low if limit < value.value else value.high - value.value
            error = half / _NORMAL.inv_cdf(0.975)
            if error <= 0:  # all resamples agree: the spread was not seen
                above = float(value.value < limit)
            else:
                above = 1 - _NORMAL.cdf((value.value - limit) / error)
            good, bad = (above, 1 - above) if self.side == "at_least" else (1 - above, above)
            return Evidence(good, bad, lambda level: _needed_for_number(value, limit, error, level))

        return Statement(self, value, evidence, note, seed, details or {})

    def counted(
        self, count: int, n: int, *, note: str = "", details: dict[str, Any] | None = None
    ) -> Statement:
        """Return what a share says that was counted among all there are: it has no uncertainty.

        Args:
            count: How many.
            n: Of how many, ≥ 1.
            note: How it was counted.
            details: More that belongs to it, as JSON.
        """
        share = count / n

        def evidence(limit: float) -> Evidence:
            kept = share >= limit if self.side == "at_least" else share <= limit
            return Evidence(float(not kept), float(kept), lambda level: None)

        value = Measured(share, share, share, n, "counted")
        return Statement(self, value, evidence, note, details=details or {})

    def not_measured(self, why: str, *, asked: bool = True) -> Statement:
        """Return that it could not be measured.

        Args:
            why: The reason, for people.
            asked: Whether a limit asks for it all the same; False where it was left out for want of a part
                that the user need not have.
        """
        return Statement(self, None, None, why, asked=asked)


def _needed_for_number(value: Measured, limit: float, error: float, level: float) -> int | None:
    if value.value == limit or error <= 0:
        return None
    ratio = _NORMAL.inv_cdf(1 - level) * error / abs(value.value - limit)
    count = math.ceil(value.n * ratio**2)
    return count if count <= _MOST_NEEDED else None


def _needed_for_share(share: float, n: int, limit: float, level: float) -> int | None:
    """Return the smallest number of pictures, within 1 %, at which this share would decide."""
    if share == limit:
        return None
    few, enough = 0, n
    while not _decides(share, enough, limit, level):
        few, enough = enough, 2 * enough
        if enough > _MOST_NEEDED:
            return None
    while few >= n and enough - few > max(1, few // 100):  # whole numbers make the tail jump
        middle = (few + enough) // 2
        few, enough = (few, middle) if _decides(share, middle, limit, level) else (middle, enough)
    return enough


def _decides(share: float, n: int, limit: float, level: float) -> bool:
    hits = round(share * n)
    tail = 1 - binomial_cdf(hits - 1, n, limit) if share > limit else binomial_cdf(hits, n, limit)
    return tail <= level
