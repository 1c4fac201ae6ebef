"""From held-out scores of good and defective parts to the rule of an inspection."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.inspection.choosing import Thresholds, between, cheapest, least_review
from foveal.calibrate.inspection.outcome import Outcome, outcome
from foveal.calibrate.inspection.proven import Proven, accept_limit, reject_limit, worst_of_group
from foveal.core.errors import UsageError
from foveal.core.promises import DELTA, RISK, conformal_rank, images_needed
from foveal.tasks.judging import Chosen, Costs, Inspection, Promise, judge

Floats = NDArray[np.float64]
Unit = Literal["part", "group"]
FALSE_CALL, ACCEPTED = 0.05, 0.95


@dataclass(frozen=True)
class Demands:
    """What is asked of a rule.

    Attributes:
        miss: At most this share of defective parts is accepted.
        false_call: At most this share of good parts is rejected.
        delta: Probability that a promise is wrong; each holds by itself.
        costs: Of decisions; None: the fewest reviews.
        defect_rate: Share of parts that are defective where the rule will run; None: as among the parts.
        choose: Where misses cannot be proven to be rare, accept below the quantile of good parts all the
            same, but below every defective part that is known: a choice, and named as one. Without any
            defective part that is the only way to accept, and is done in any case.
        accepted: The quantile: this share of good parts is accepted then, on average over draws.
    """

    miss: float = RISK
    false_call: float = FALSE_CALL
    delta: float = DELTA
    costs: Costs | None = None
    defect_rate: float | None = None
    choose: bool = False
    accepted: float = ACCEPTED


@dataclass(frozen=True)
class Scores:
    """Scores of parts that nothing was learned from, and what they belong to.

    Attributes:
        good: Of good parts, float64 (N,).
        defective: Of defective parts, float64 (M,).
        good_groups: What is not independent has one number, integers (N,); None: each stands for itself.
        defective_groups: The same of the defective ones, (M,).
    """

    good: Floats
    defective: Floats
    good_groups: NDArray[np.integer] | None = None
    defective_groups: NDArray[np.integer] | None = None


@dataclass(frozen=True)
class FittedRule:
    """A rule, and what is to be said of it.

    Attributes:
        rule: Without limits of pictures: see `fit_limits`.
        notes: What is not promised, why, and what it would take.
        outcome: What the rule does with the very parts that it was fitted on: an estimate that flatters;
            None without parts.
    """

    rule: Inspection
    notes: tuple[str, ...]
    outcome: Outcome | None = field(default=None)

    def as_json(self) -> dict[str, Any]:
        """Return it in values that JSON knows."""
        found = None if self.outcome is None else self.outcome.as_json()
        return {"rule": self.rule.model_dump(mode="json"), "notes": list(self.notes), "outcome": found}


def fit_rule(
    scores: Scores, demands: Demands | None = None, *, good_classes: tuple[str, ...] = ()
) -> FittedRule:
    """Return the rule whose promises the scores prove.

    A side that is not proven gets no threshold: its parts go to review.

    Args:
        scores: Of parts that nothing was learned from.
        demands: What is asked of it.
        good_classes: Of a classifier: which classes are good.

    Raises:
        UsageError: Scores that are not finite, or demands that are no shares.
    """
    demands = demands or Demands()
    _check(demands)
    good = worst_of_group(scores.good, scores.good_groups, defective=False)
    defective = worst_of_group(scores.defective, scores.defective_groups, defective=True)
    accept = accept_limit(defective, rate=demands.miss, delta=demands.delta)
    reject = reject_limit(good, rate=demands.false_call, delta=demands.delta)
    found = _thresholds(good, defective, accept, reject, demands)
    units: dict[str, Unit] = {
        "defective": _unit(defective, scores.defective),
        "good": _unit(good, scores.good),
    }
    notes = [
        *_missing(f"defective {units['defective']}s", "misses", accept),
        *_missing(f"good {units['good']}s", "false calls", reject),
    ]
    chosen: tuple[Chosen, ...] = ()
    if accept.limit is None and (demands.choose or not len(defective)):
        below = _chosen(good, defective, found.reject_from, demands)
        if below is not None:
            found, chosen = replace(found, accept_below=below), ("accept_below",)
            notes.append(
                f"accept_below is a choice: about {demands.accepted:.0%} of good parts are accepted; "
                "nothing is promised of defective ones"
            )
    if demands.costs is not None and not (len(good) and len(defective)):
        notes.append("costs chose nothing: that takes scores of good and of defective parts")
    rule = Inspection(
        accept_below=found.accept_below,
        reject_from=found.reject_from,
        miss=None
        if chosen
        else _promise(
            accept, defective < _or(found.accept_below, -np.inf), found.accept_below, units["defective"]
        ),
        false_call=_promise(reject, good >= _or(found.reject_from, np.inf), found.reject_from, units["good"]),
        chosen=chosen,
        costs=demands.costs,
        good=good_classes,
    )
    return FittedRule(rule, tuple(notes), _outcome(rule, good, defective, demands))


def _check(demands: Demands) -> None:
    if not 0 < demands.accepted < 1:
        raise UsageError(f"the share of good parts to accept is in (0, 1); got {demands.accepted}")
    if demands.defect_rate is not None and not 0 <= demands.defect_rate <= 1:
        raise UsageError(f"a defect rate is a share in [0, 1]; got {demands.defect_rate}")
    images_needed(demands.miss, demands.delta)
    images_needed(demands.false_call, demands.delta)


def _thresholds(
    good: Floats, defective: Floats, accept: Proven, reject: Proven, demands: Demands
) -> Thresholds:
    if demands.costs is None or not (len(good) and len(defective)):
        return least_review(np.concatenate([good, defective]), accept.limit, reject.limit)
    rate = demands.defect_rate
    return cheapest(
        good,
        defective,
        accept.limit,
        reject.limit,
        costs=demands.costs,
        defect_rate=len(defective) / (len(defective) + len(good)) if rate is None else rate,
    )


def _chosen(good: Floats, defective: Floats, reject_from: float | None, demands: Demands) -> float | None:
    """Return below which score to accept without a promise; None where too few good parts are there."""
    rank = conformal_rank(len(good), 1 - demands.accepted)
    if rank > len(good) or rank < 1:
        return None
    quantile = float(np.sort(good)[rank - 1])
    above = between(good)
    higher = above[above > quantile]
    below = float(higher[0]) if len(higher) else float(np.nextafter(quantile, np.inf))
    others: list[float] = [*([] if reject_from is None else [reject_from]), *defective.tolist()]
    return min([below, *others])


def _missing(kind: str, what: str, side: Proven) -> list[str]:
    if side.limit is not None:
        return []
    return [f"at most {side.rate:.2%} {what} are not proven: needs n ≥ {side.needed} {kind}, has {side.n}"]


def _unit(counted: Floats, scores: Floats) -> Unit:
    """Return what is counted: parts, or groups of them."""
    return "part" if len(counted) == len(scores) else "group"


def _promise(side: Proven, wrong: NDArray[np.bool_], threshold: float | None, unit: Unit) -> Promise | None:
    if threshold is None:
        return None
    return Promise(rate=side.rate, delta=side.delta, n=side.n, events=int(wrong.sum()), unit=unit)


def _or(threshold: float | None, else_: float) -> float:
    return else_ if threshold is None else threshold


def _outcome(rule: Inspection, good: Floats, defective: Floats, demands: Demands) -> Outcome | None:
    scores = np.concatenate([good, defective])
    if not len(scores):
        return None
    verdicts = [judge(score, (), rule).verdict for score in scores.tolist()]
    bad = np.arange(len(scores)) >= len(good)
    return outcome(verdicts, bad, costs=demands.costs, defect_rate=demands.defect_rate)
