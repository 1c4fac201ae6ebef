"""What a rule does with parts whose truth is known: rates, share of reviews and expected cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.metrics.independent_number import independent_number
from foveal.tasks.judging import VERDICTS, Costs

_LEVEL = 0.05


@dataclass(frozen=True)
class Outcome:
    """What came of parts whose truth is known; estimates with their 95 % intervals, no promises.

    Attributes:
        decisions: How many parts got each verdict.
        miss: Share of defective parts that were accepted; None without any.
        false_call: Share of good parts that were rejected; None without any.
        review: Share of parts that go to a person, at the defect rate.
        cost: Of a part, at the defect rate, in the unit of the costs; None without costs.
        defect_rate: Share of parts that are taken to be defective.
    """

    decisions: dict[str, int]
    miss: Measured | None
    false_call: Measured | None
    review: Measured | None
    cost: Measured | None
    defect_rate: float

    def as_json(self) -> dict[str, Any]:
        """Return it in values that JSON knows; what is not known is null."""
        numbers = {name: getattr(self, name) for name in ("miss", "false_call", "review", "cost")}
        told = {name: None if one is None else one.as_json() for name, one in numbers.items()}
        return {"decisions": dict(self.decisions), **told, "defect_rate": self.defect_rate}


def outcome(
    verdicts: Sequence[str],
    defective: NDArray[np.bool_],
    *,
    costs: Costs | None = None,
    defect_rate: float | None = None,
    units: NDArray[np.integer] | None = None,
) -> Outcome:
    """Return what came of N parts.

    The share of reviews and the cost are sums of shares of good and of defective parts. Each share gets an
    exact interval at 5 % divided by their number, and the ends are added up: cautious, and right where no
    miss was seen, when resampling the same parts would say that there are none.

    Args:
        verdicts: Of N parts, N ≥ 1.
        defective: Whether each is defective, bool (N,).
        costs: Of decisions; None: nobody knows.
        defect_rate: Share of parts that are defective where the rule runs; None: as among these parts.
        units: What each part belongs to, integers (N,): those that belong together count as few in the
            intervals; None: each stands alone.

    Raises:
        UsageError: The arguments are not such.
    """
    decided = np.asarray(verdicts)
    if decided.shape != defective.shape or defective.dtype != np.bool_ or not len(decided):
        raise UsageError(f"need a verdict and a truth for each part; got {decided.shape}, {defective.shape}")
    if defect_rate is None:
        defect_rate = float(defective.mean())
    if not 0 <= defect_rate <= 1:
        raise UsageError(f"a defect rate is a share in [0, 1]; got {defect_rate}")
    counts: dict[str, int] = {verdict: int((decided == verdict).sum()) for verdict in VERDICTS}
    bad = {verdict: int((decided[defective] == verdict).sum()) for verdict in VERDICTS}
    fine = {verdict: counts[verdict] - bad[verdict] for verdict in VERDICTS}
    n_bad, n_fine = int(defective.sum()), int((~defective).sum())
    few_bad, few_fine = (_independent(units, some) for some in (defective, ~defective))
    weights = [
        (defect_rate, bad["review"], n_bad, few_bad),
        (1 - defect_rate, fine["review"], n_fine, few_fine),
    ]
    cost = None
    if costs is not None:
        wrong = [
            (defect_rate * costs.miss, bad["accept"], n_bad, few_bad),
            ((1 - defect_rate) * costs.false_call, fine["reject"], n_fine, few_fine),
        ]
        reviewed = [(share * costs.review, k, n, few) for share, k, n, few in weights]
        cost = _summed([*wrong, *reviewed], len(decided))
    return Outcome(
        decisions=counts,
        miss=_share(bad["accept"], n_bad, few_bad) if n_bad else None,
        false_call=_share(fine["reject"], n_fine, few_fine) if n_fine else None,
        review=_summed(weights, len(decided)),
        cost=cost,
        defect_rate=defect_rate,
    )


def _independent(units: NDArray[np.integer] | None, some: NDArray[np.bool_]) -> float:
    """Return how many independent parts say as much as some; 0 of none."""
    if not some.any():
        return 0.0
    return independent_number(None if units is None else np.asarray(units, np.int64)[some], int(some.sum()))


def _share(events: int, n: int, independent: float, confidence: float = 0.95) -> Measured:
    return clopper_pearson(events / n * independent, independent, confidence)


def _summed(parts: Sequence[tuple[float, int, int, float]], total: int) -> Measured | None:
    """Return the sum of weighted shares; None where one that counts is not known.

    Args:
        parts: Of each its weight, events, parts, and how many independent ones say as much.
        total: All parts.
    """
    counting = [part for part in parts if part[0] > 0]
    if any(n == 0 for _, _, n, _ in counting):
        return None
    level = 1 - _LEVEL / len(counting)
    shares = [(weight, _share(events, n, few, level)) for weight, events, n, few in counting]
    value, low, high = (
        float(sum(weight * getattr(share, end) for weight, share in shares))
        for end in ("value", "low", "high")
    )
    return Measured(value, low, high, total, "clopper-pearson")
