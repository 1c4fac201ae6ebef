"""What a certificate can say something about, and the three ways to say how sure it is."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Any, Literal

from foveal.certify.statement import NOTHING_SHOWN, Evidence, Statement
from foveal.core.types import Measured
from foveal.metrics.binomial_cdf import binomial_cdf
from foveal.metrics.clopper_pearson import clopper_pearson

Kind = Literal["guarantee", "upper_bound", "estimate", "indicator"]
Side = Literal["at_least", "at_most"]
Unit = Literal["share", "ms", "bytes", "nats", "count", "plain"]

_NORMAL = NormalDist()
_FEWEST = 30  # pictures below which a normal test says nothing
_CONTRADICTED = 0.05
_MOST_NEEDED = 10**8  # pictures that nobody has: "no number decides" is the honest answer


@dataclass(frozen=True)
class Promise:
    """What calibration pictures proved of pictures of their kind.

    Attributes:
        level: The share that holds with a certainty of 95 %.
        proven: From a limit to the probability of a calibration at least as good where the limit is just
            missed; 1 where it proves nothing of it.
    """

    level: float
    proven: Callable[[float], float] = field(repr=False)


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
        unit: Of the number, for people: `share` is shown in percent.
    """

    key: str
    name: str
    kind: Kind
    side: Side = "at_least"
    unit: Unit = "share"

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
        self,
        value: Measured,
        *,
        note: str = "",
        seed: int = 0,
        details: dict[str, Any] | None = None,
        chosen_from: int = 1,
    ) -> Statement:
        """Return what a number says that is no share, decided by a normal test.

        The standard error is the interval's half on the side of the limit over 1.96: intervals of resampling
        are skewed where the number is, and so is the test.

        Args:
            value: With its 95 % interval.
            note: How it was measured.
            seed: Of what was drawn for it.
            details: More that belongs to it, as JSON.
            chosen_from: It is the worst of so many. That it misses a limit has to be shown for one that was
                picked; that it keeps it, for the worst, which is no harder.
        """

        def evidence(limit: float) -> Evidence:
            half = value.value - value.low if limit < value.value else value.high - value.value
            error = half / _NORMAL.inv_cdf(0.975)
            if error <= 0 or value.n < _FEWEST:  # all resamples agree, or few: the spread was not seen
                return NOTHING_SHOWN
            above = 1 - _NORMAL.cdf((value.value - limit) / error)
            good, bad = (above, 1 - above) if self.side == "at_least" else (1 - above, above)
            tests = chosen_from if bad < good else 1
            return Evidence(
                good,
                min(1.0, chosen_from * bad),
                lambda level: _needed_for_number(value, limit, error, level / tests),
            )

        return Statement(self, value, evidence, note, seed, details or {})

    def worst(
        self,
        shares: Mapping[str, tuple[int, int]],
        *,
        unseen: Sequence[str] = (),
        note: str = "",
        seed: int = 0,
        details: dict[str, Any] | None = None,
    ) -> Statement:
        """Return what the worst of several shares says, decided by exact tests of all of them.

        A limit is kept where each share keeps it (the largest p-value: an intersection-union test), and
        missed where one does not (the smallest times their number). The interval is that of the worst share:
        from the worst lower to the worst upper end of intervals that hold together (Bonferroni).

        Args:
            shares: Successes and trials, ≥ 1, by name.
            unseen: Names of those without a trial: then no limit is shown to be kept.
            note: How it was measured.
            seed: Of what was drawn for it.
            details: More that belongs to it, as JSON.
        """
        least, confidence = self.side == "at_least", 1 - 0.05 / len(shares)
        found = {name: clopper_pearson(k, n, confidence) for name, (k, n) in shares.items()}
        pick = min if least else max
        name = pick(found, key=lambda one: (found[one].value, found[one].low if least else found[one].high))
        low, high = (pick(getattr(one, end) for one in found.values()) for end in ("low", "high"))
        value = replace(found[name], low=low, high=high)
        each = {one: self.share(k, n) for one, (k, n) in shares.items()}

        def evidence(limit: float) -> Evidence:
            weighed = {one: _weighed(statement, limit) for one, statement in each.items()}
            binding = max(weighed, key=lambda one: weighed[one].for_it)
            kept = 1.0 if unseen else weighed[binding].for_it
            missed = min(1.0, len(weighed) * min(one.against_it for one in weighed.values()))
            best, trials = each[binding].value, len(weighed)
            assert best is not None
            good = best.value >= limit if least else best.value <= limit

            def needed(level: float) -> int | None:
                # That one of several misses its limit has to be shown for as many as there are.
                return None if unseen else weighed[binding].needed(level if good else level / trials)

            return Evidence(kept, missed, needed)

        together = f"the interval holds for all {len(shares)} at once" if len(shares) > 1 else ""
        said = "; ".join(part for part in (name, note, together, _unseen(unseen)) if part)
        return Statement(self, value, evidence, said, seed, {"worst": name, **(details or {})})

    def promised(
        self,
        successes: int,
        n: int,
        *,
        promise: Promise | None,
        note: str = "",
        details: dict[str, Any] | None = None,
    ) -> Statement:
        """Return what a promise says that other pictures proved, together with these.

        That a limit is kept can be shown by either, so the smaller p-value counts twice; that it is missed,
        by these alone. A promise that these pictures contradict was made for other ones, and proves nothing
        of them.

        Args:
            successes: How many of the pictures.
            n: Of how many, ≥ 1.
            promise: What calibration pictures proved; None where these are not known to be of their kind.
            note: How it was measured.
            details: More that belongs to it, as JSON.
        """
        plain = self.share(successes, n, note=note, details=details)

        def evidence(limit: float) -> Evidence:
            seen = _weighed(plain, limit)
            if promise is None:
                return seen
            refuted = min(seen.against_it, _weighed(plain, promise.level).against_it) <= _CONTRADICTED
            before = 1.0 if refuted else promise.proven(limit)
            both = min(1.0, 2 * min(seen.for_it, before))
            return replace(seen, for_it=both, needed=lambda level: seen.needed(level / 2))

        return replace(plain, evidence=evidence)

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


def _weighed(statement: Statement, limit: float) -> Evidence:
    return NOTHING_SHOWN if statement.evidence is None else statement.evidence(limit)


def _unseen(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
    return f"nothing is known of {len(names)} without a picture: {shown}" if names else ""


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
