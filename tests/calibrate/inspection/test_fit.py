"""calibrate.inspection.fit: promises hold over resamplings, and what is not proven is not promised."""

import numpy as np
import pytest
from scipy import stats

from foveal.calibrate.inspection.fit import Demands, Scores, fit_rule
from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks.judging import Costs, judge

DEAR = Costs(miss=1000, false_call=20, review=1)
DRAWS = 500


def normal(n_good=400, n_defective=400, apart=3.0, seed=0):
    rng = np.random.default_rng(seed)
    return Scores(rng.normal(0, 1, n_good), rng.normal(apart, 1, n_defective))


def test_promises_name_what_they_rest_on() -> None:
    fitted = fit_rule(normal(), Demands(miss=0.02, false_call=0.05))
    rule, scores = fitted.rule, normal()

    assert (rule.miss.rate, rule.miss.delta, rule.miss.n) == (0.02, 0.05, 400)
    assert rule.miss.events == (scores.defective < rule.accept_below).sum()
    assert rule.false_call.events == (scores.good >= rule.reject_from).sum()
    assert stats.binom.cdf(rule.miss.events, 400, 0.02) <= 0.05
    assert stats.binom.cdf(rule.false_call.events, 400, 0.05) <= 0.05
    assert fitted.notes == rule.chosen == ()
    assert sum(fitted.outcome.decisions.values()) == 800


@pytest.mark.parametrize(
    ("n_good", "n_defective", "note"),
    [
        (400, 30, "at most 1.00% misses are not proven: needs n ≥ 299 defective parts, has 30"),
        (10, 400, "at most 5.00% false calls are not proven: needs n ≥ 59 good parts, has 10"),
        (0, 400, "at most 5.00% false calls are not proven: needs n ≥ 59 good parts, has 0"),
    ],
)
def test_what_is_not_proven_has_no_threshold_and_says_what_it_needs(n_good, n_defective, note) -> None:
    fitted = fit_rule(normal(n_good, n_defective))
    missing = "accept_below" if n_defective < 299 else "reject_from"

    assert fitted.notes == (note,)
    assert getattr(fitted.rule, missing) is None
    assert {"accept_below": fitted.rule.miss, "reject_from": fitted.rule.false_call}[missing] is None


def test_nothing_at_all_reviews_everything() -> None:
    fitted = fit_rule(Scores(np.empty(0), np.empty(0)))

    assert (fitted.rule.accept_below, fitted.rule.reject_from, fitted.outcome) == (None, None, None)
    assert len(fitted.notes) == 2


def test_only_good_parts_promise_false_calls_and_choose_where_to_accept() -> None:
    scores = Scores(normal().good, np.empty(0))
    fitted = fit_rule(scores)
    rule = fitted.rule

    assert rule.chosen == ("accept_below",)
    assert rule.miss is None
    assert rule.false_call.rate == 0.05
    assert (scores.good < rule.accept_below).mean() == pytest.approx(0.95, abs=0.01)
    assert rule.accept_below <= rule.reject_from
    assert "nothing is promised of defective ones" in fitted.notes[-1]
    assert fitted.outcome.miss is None


def test_a_choice_accepts_no_defective_part_that_is_known() -> None:
    scores = Scores(normal().good, np.array([0.5, 4.0]))

    assert fit_rule(scores).rule.accept_below is None
    chosen = fit_rule(scores, Demands(choose=True)).rule
    assert chosen.chosen == ("accept_below",)
    assert chosen.accept_below == 0.5


def test_where_both_are_proven_far_there_is_nothing_to_review() -> None:
    scores = normal(apart=20)
    fitted = fit_rule(scores)

    assert fitted.rule.accept_below == fitted.rule.reject_from
    assert fitted.outcome.decisions["review"] == 0
    assert fitted.outcome.miss.value == fitted.outcome.false_call.value == 0


@pytest.mark.parametrize("costs", [None, DEAR])
def test_equal_scores_of_all_parts_decide_nothing(costs) -> None:
    fitted = fit_rule(Scores(np.zeros(400), np.zeros(400)), Demands(costs=costs))

    assert judge(0.0, (), fitted.rule).verdict == "review"


def test_groups_are_what_is_counted() -> None:
    scores = normal()
    groups = np.arange(400) // 4
    fitted = fit_rule(Scores(scores.good, scores.defective, groups, groups), Demands(miss=0.05))

    assert fitted.rule.miss.n == fitted.rule.false_call.n == 100
    lowest = scores.defective.reshape(100, 4).min(axis=1)
    assert fitted.rule.miss.events == (lowest < fitted.rule.accept_below).sum()


@pytest.mark.parametrize(
    "demands",
    [{"miss": 0.0}, {"false_call": 1.0}, {"delta": 0.0}, {"accepted": 1.0}, {"defect_rate": 1.5}],
)
def test_demands_that_are_no_shares_are_refused(demands) -> None:
    with pytest.raises(UsageError):
        fit_rule(normal(), Demands(**demands))


def test_costs_need_both_kinds_and_say_so() -> None:
    assert (
        "costs chose nothing" in fit_rule(Scores(normal().good, np.empty(0)), Demands(costs=DEAR)).notes[-1]
    )


def test_costs_move_thresholds_only_inside_of_what_is_proven() -> None:
    for seed in range(20):
        free = fit_rule(normal(seed=seed, apart=2.0)).rule
        paid = fit_rule(normal(seed=seed, apart=2.0), Demands(costs=DEAR, defect_rate=0.01)).rule
        assert paid.costs == DEAR
        assert paid.accept_below is None or paid.accept_below <= free.accept_below
        assert paid.reject_from is None or paid.reject_from >= free.reject_from


def exceeded(fit, *, whole=False, rate=0.05) -> tuple[Measured, Measured]:
    """Return in which share of draws the true rate of misses and of false calls was above the promise.

    Scores are normal, or these rounded to whole numbers: then most have an equal.
    """
    rng = np.random.default_rng(1)
    missed = called = 0
    for _ in range(DRAWS):
        good, defective = rng.normal(0, 1, 150), rng.normal(2, 1, 150)
        accept, reject = fit(good.round(), defective.round()) if whole else fit(good, defective)
        if whole:  # below a threshold lie the numbers that are rounded to a whole number below it
            accept, reject = np.ceil(accept) - 0.5, np.ceil(reject) - 0.5
        missed += stats.norm.cdf(accept - 2) > rate
        called += stats.norm.sf(reject) > rate
    return clopper_pearson(missed, DRAWS, 0.999), clopper_pearson(called, DRAWS, 0.999)


def thresholds(good, defective, **demands) -> tuple[float, float]:
    rule = fit_rule(Scores(good, defective), Demands(miss=0.05, false_call=0.05, delta=0.1, **demands)).rule
    accept = -np.inf if rule.accept_below is None else rule.accept_below
    return accept, np.inf if rule.reject_from is None else rule.reject_from


@pytest.mark.parametrize("demands", [{}, {"costs": DEAR}, {"costs": Costs(miss=1, false_call=1, review=50)}])
@pytest.mark.parametrize("whole", [False, True])
def test_promises_hold_over_resamplings_whatever_costs_choose(demands, whole) -> None:
    for share in exceeded(lambda good, bad: thresholds(good, bad, **demands), whole=whole):
        assert share.low <= 0.1


def test_plug_in_thresholds_do_not_keep_the_promise() -> None:
    for share in exceeded(lambda good, bad: (np.quantile(bad, 0.05), np.quantile(good, 0.95))):
        assert share.low > 0.1


def test_the_promise_is_used_up_so_that_no_more_than_needed_goes_to_review() -> None:
    for share in exceeded(thresholds):
        assert share.high > 0.03
