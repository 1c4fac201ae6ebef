"""One number of a certificate: what it is, how sure it is, and what it says about a limit."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from foveal.core.types import Measured

if TYPE_CHECKING:
    from foveal.certify.claim import Claim


@dataclass(frozen=True)
class Evidence:
    """What a measurement says for and against a limit.

    Attributes:
        for_it: Probability of a measurement at least this good if the limit were just missed.
        against_it: Probability of a measurement at least this bad if the limit were just kept.
        needed: Returns how many pictures would decide at a significance, if they came out as these did; None
            where no number would.
    """

    for_it: float
    against_it: float
    needed: Callable[[float], int | None] = field(repr=False, compare=False)


NOTHING_SHOWN = Evidence(1.0, 1.0, lambda level: None)


@dataclass(frozen=True)
class Statement:
    """One number.

    Attributes:
        claim: What it is about.
        value: The number with interval and n; None: it could not be measured, `note` says why.
        evidence: From a limit to what speaks for and against it; None: nothing does.
        note: How it was measured, or why it was not; for people.
        seed: Of all that was drawn for it.
        details: More that belongs to it, as JSON.
        asked: False where it was left out for want of what it needs: then no limit asks for it.
    """

    claim: "Claim"
    value: Measured | None
    evidence: Callable[[float], Evidence] | None = field(default=None, repr=False, compare=False)
    note: str = ""
    seed: int = 0
    details: dict[str, Any] = field(default_factory=dict, repr=False)
    asked: bool = True

    def that_cannot_pass(self, why: str) -> "Statement":
        """Return the same number where it can only show that a limit is missed, never that it is kept."""
        known = self.evidence
        if known is None:
            return self

        def evidence(limit: float) -> Evidence:
            return replace(known(limit), for_it=1.0, needed=lambda level: None)

        return replace(self, evidence=evidence, note=f"{self.note}; {why}" if self.note else why)
