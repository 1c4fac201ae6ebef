"""calibrate.inspection.outcome: shares and costs at a defect rate, and intervals that hold the truth."""

import numpy as np
import pytest

from foveal.calibrate.inspection.outcome import outcome
from foveal.core.errors import UsageError
from foveal.tasks.judging import Costs

COSTS = Costs(miss=100, false_call=10, review=1)
VERDICTS = (
    ["accept"] * 80 + ["review"] * 15 + ["reject"] * 5 + ["accept"] * 1 + ["review"] * 4 + ["reject"] * 15
)
TRUTH = np.arange(120) >= 100


def test_shares_and_cost_are_weighted_by_the_defect_rate() -> None:
    found = outcome(VERDICTS, TRUTH, costs=COSTS, defect_rate=0.1)

    assert found.decisions == {"accept": 81, "reject": 20, "review": 19}
    assert (found.miss.value, found.false_call.value) == (0.05, 0.05)
    assert found.review.value == pytest.approx(0.9 * 0.15 + 0.1 * 0.2)
    assert found.cost.value == pytest.approx(0.1 * (0.05 * 100 + 0.2) + 0.9 * (0.05 * 10 + 0.15))
    for one in (found.review, found.cost):
        assert one.low < one.value < one.high
        assert one.n == 120


def test_a_defect_rate_that_nobody_states_is_that_of_the_parts() -> None:
    assert outcome(VERDICTS, TRUTH).defect_rate == pytest.approx(1 / 6)
    assert outcome(VERDICTS, TRUTH).cost is None


def test_no_miss_among_few_parts_is_not_taken_for_no_cost() -> None:
    found = outcome(["accept"] * 100 + ["reject"] * 10, np.arange(110) >= 100, costs=COSTS, defect_rate=0.1)

    assert found.cost.value == 0
    assert found.cost.high > 0.1 * 100 * 0.25


def test_of_good_parts_alone_only_what_they_tell_is_known() -> None:
    found = outcome(["accept"] * 9 + ["review"], np.zeros(10, bool), costs=COSTS, defect_rate=0.1)

    assert found.miss is found.cost is found.review is None
    assert found.false_call.value == 0
    assert outcome(["accept"] * 9 + ["review"], np.zeros(10, bool), costs=COSTS).cost.value == 0.1
    assert found.as_json()["miss"] is None


def test_intervals_hold_the_expected_cost() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(300) >= 200
    shares = {False: [0.8, 0.05, 0.15], True: [0.05, 0.75, 0.2]}
    expected = 0.1 * (0.05 * 100 + 0.2) + 0.9 * (0.05 * 10 + 0.15)
    held = 0
    for _ in range(200):
        verdicts = [rng.choice(["accept", "reject", "review"], p=shares[bool(bad)]) for bad in truth]
        cost = outcome(verdicts, truth, costs=COSTS, defect_rate=0.1).cost
        held += cost.low <= expected <= cost.high
    assert held >= 186


@pytest.mark.parametrize(
    ("verdicts", "truth", "rate"),
    [
        ([], np.zeros(0, bool), None),
        (["accept"], np.zeros(2, bool), None),
        (["accept"], np.zeros(1, bool), 2.0),
    ],
)
def test_what_does_not_fit_together_is_refused(verdicts, truth, rate) -> None:
    with pytest.raises(UsageError):
        outcome(verdicts, truth, defect_rate=rate)
