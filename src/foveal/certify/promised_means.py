"""What pictures say of mean losses in [0, 1], a mean for each class, beside what others promised of them.

An object is not independent of the others on its picture, so a loss is that of a picture, and every test
here is the one that proves thresholds: Hoeffding-Bentkus, of finite samples (`calibrate.proven`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from foveal.calibrate.proven import Floats, p_value
from foveal.certify.claim import Claim, Promise
from foveal.certify.statement import Evidence, Statement
from foveal.core.types import Measured

_CONTRADICTED, _WIDTH, _HALVINGS = 0.05, 0.05, 40


@dataclass(frozen=True)
class Kept:
    """What pictures say of one class.

    Attributes:
        losses: Of test pictures, each in [0, 1]: 1 less the share that is as it should be.
        promise: What calibration pictures proved of that share.
    """

    losses: Floats = field(repr=False)
    promise: Promise

    def evidence(self, least: float) -> tuple[float, float]:
        """Return how improbable the pictures are if the share were just below a limit, and just above."""
        seen, against = _improbable(self.losses, 1 - least), _improbable(1 - self.losses, least)
        contradicted = _improbable(1 - self.losses, self.promise.level)
        before = 1.0 if min(against, contradicted) <= _CONTRADICTED else self.promise.proven(least)
        return min(1.0, 2 * min(seen, before)), against

    def measured(self, *, tests: int = 1) -> Measured:
        """Return the mean share with an interval that holds for so many at once."""
        level = _WIDTH / 2 / tests
        mean = 1 - float(self.losses.mean())
        low = 1 - _largest(self.losses, level)
        high = _largest(1 - self.losses, level)
        return Measured(mean, min(low, mean), max(high, mean), len(self.losses), "hoeffding-bentkus")


def worst_of(
    claim: Claim, classes: Mapping[str, Kept], *, unproven: Mapping[str, str], note: str, details: Any
) -> Statement:
    """Return what the worst of several classes says: a limit is kept where each keeps it.

    Args:
        claim: What is stated, a share that is to be large.
        classes: By name, each with a picture.
        unproven: Classes of which nothing is promised, and why: then no limit is shown to be kept.
        note: How it was measured.
        details: More that belongs to it, as JSON.
    """
    found = {name: one.measured(tests=len(classes)) for name, one in classes.items()}
    worst = min(found, key=lambda name: found[name].value)
    low, high = (min(getattr(one, end) for one in found.values()) for end in ("low", "high"))
    value = Measured(
        found[worst].value, low, max(high, found[worst].value), found[worst].n, found[worst].method
    )

    def evidence(limit: float) -> Evidence:
        pairs = [one.evidence(limit) for one in classes.values()]
        kept = 1.0 if unproven else max(good for good, _ in pairs)
        missed = min(1.0, len(pairs) * min(bad for _, bad in pairs))
        # How many pictures would decide depends on a threshold that they would move.
        return Evidence(kept, missed, lambda level: None)

    said = [worst, note, *(f"{name}: {why}" for name, why in unproven.items())]
    return Statement(claim, value, evidence, "; ".join(said), details={"worst": worst, **details})


def _improbable(losses: Floats, limit: float) -> float:
    """Return a p-value for "the mean loss is above the limit"; there is none where that cannot be."""
    return p_value(losses, limit=limit, loss="share") if 0 < limit < 1 else float(limit < 1)


def _largest(losses: Floats, level: float) -> float:
    """Return the largest mean of losses at which such small ones are no less probable than a level."""
    few, many = float(losses.mean()), 1.0
    if few >= 1:
        return 1.0
    for _ in range(_HALVINGS):
        middle = (few + many) / 2
        few, many = (middle, many) if _improbable(losses, middle) > level else (few, middle)
    return many
