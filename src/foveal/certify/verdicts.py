"""From statements and limits to verdicts that err together with at most 5 % probability."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from foveal.certify.statement import Evidence, Statement
from foveal.metrics.holm import holm

LEVEL = 0.05
Verdict = Literal["pass", "fail", "insufficient", "not_asked"]


@dataclass(frozen=True)
class Judged:
    """A statement with its verdict.

    Attributes:
        statement: The number.
        limit: What the profile demands of it, or None.
        verdict: `pass`: it is shown that the limit is kept; `fail`: that it is not; `insufficient`: neither;
            `not_asked`: no limit is set, or nothing could be measured.
        p_value: That of the verdict, adjusted for all limits together; None without one.
        needed: With `insufficient`: so many pictures would decide if they came out as these; None: no number.
    """

    statement: Statement
    limit: float | None
    verdict: Verdict
    p_value: float | None = None
    needed: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the contract's gate."""
        one = self.statement
        return {
            "id": one.claim.key,
            "name": one.claim.name,
            "verdict": self.verdict,
            "value": None if one.value is None else one.value.as_json(),
            "limit": self.limit,
            "side": one.claim.side,
            "unit": one.claim.unit,
            "kind": one.claim.kind,
            "p_value": self.p_value,
            "needed": self.needed,
            "note": one.note,
            "seed": one.seed,
            "details": one.details,
        }


def judge(statements: Sequence[Statement], limits: Mapping[str, float]) -> list[Judged]:
    """Return every statement with its verdict.

    Of all statements with a limit two families are tested, "the limit is kept" and "it is not", each
    corrected by Holm's method. A number that has a limit and could not be measured is `insufficient`: what
    nobody looked at has not passed. What was left out for want of a torch network is `not_asked`.

    Args:
        statements: All that were made; their names differ.
        limits: By name of the statement; those of other statements are left alone.
    """
    asked = [one for one in statements if one.claim.key in limits]
    weighed = [(one, one.evidence(limits[one.claim.key])) for one in asked if one.evidence is not None]
    kept = holm([evidence.for_it for _, evidence in weighed])
    missed = holm([evidence.against_it for _, evidence in weighed])
    found = {
        one.claim.key: _verdict(one, limits[one.claim.key], evidence, (good, bad), len(weighed))
        for (one, evidence), good, bad in zip(weighed, kept, missed, strict=True)
    }
    return [
        found.get(one.claim.key) or _without_evidence(one, limits.get(one.claim.key)) for one in statements
    ]


def _verdict(
    one: Statement, limit: float, evidence: Evidence, adjusted: tuple[float, float], count: int
) -> Judged:
    good, bad = adjusted
    if good <= LEVEL:
        return Judged(one, limit, "pass", good)
    if bad <= LEVEL:
        return Judged(one, limit, "fail", bad)
    return Judged(one, limit, "insufficient", min(good, bad), evidence.needed(LEVEL / count))


def _without_evidence(one: Statement, limit: float | None) -> Judged:
    return Judged(one, limit, "not_asked" if limit is None or not one.asked else "insufficient")


def overall(judged: Sequence[Judged]) -> Verdict:
    """Return the verdict of a certificate: `fail` if a limit is missed, `pass` if all are shown to be kept.

    A limit on what was left out is not shown to be kept.
    """
    verdicts = {
        "insufficient" if one.verdict == "not_asked" else one.verdict
        for one in judged
        if one.limit is not None
    }
    if not verdicts:
        return "not_asked"
    if "fail" in verdicts:
        return "fail"
    return "insufficient" if "insufficient" in verdicts else "pass"
