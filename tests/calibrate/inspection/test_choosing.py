"""calibrate.inspection.choosing: the cheapest pair is that of a search through all pairs that are proven."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foveal.calibrate.inspection.choosing import Thresholds, between, cheapest, least_review
from foveal.tasks.judging import Costs

INF = float("inf")
scores = st.lists(st.integers(0, 9).map(float), min_size=1, max_size=12).map(np.array)
fractions = st.none() | st.floats(0, 1)


def limit(values, fraction):
    """Return one of the values: a limit always is the score of a part."""
    return None if fraction is None else float(np.quantile(values, fraction, method="nearest"))


def priced(pair, good, defective, costs, rate):
    """Add up what each part costs, one by one."""
    accept, reject = (x if x is not None else end for x, end in zip(pair, (-INF, INF), strict=True))
    total = 0.0
    for values, weight, wrong in ((good, 1 - rate, "reject"), (defective, rate, "accept")):
        for score in values:
            verdict = "accept" if score < accept else "reject" if score >= reject else "review"
            price = {wrong: costs.false_call if wrong == "reject" else costs.miss, "review": costs.review}
            total += weight / len(values) * price.get(verdict, 0.0)
    return total


def pairs(values, highest, above):
    """List every pair of thresholds that is proven and makes another decision."""
    points = sorted({*between(values).tolist(), values.max() + 1, values.min() - 1})
    accept = [None, *([x for x in points if x <= highest] if highest is not None else [])]
    reject = [None, *([x for x in points if x > above] if above is not None else [])]
    return [(a, r) for a, r in itertools.product(accept, reject) if a is None or r is None or a <= r]


@settings(max_examples=150, deadline=None)
@given(
    scores,
    scores,
    fractions,
    fractions,
    st.tuples(*[st.integers(0, 20)] * 3),
    st.sampled_from([0, 0.02, 0.5, 1]),
)
def test_no_proven_pair_is_cheaper(good, defective, up_to, down_to, prices, rate) -> None:
    highest, above = limit(defective, up_to), limit(good, down_to)
    costs = Costs(**dict(zip(("miss", "false_call", "review"), map(float, prices), strict=True)))
    found = cheapest(good, defective, highest, above, costs=costs, defect_rate=rate)
    values = np.concatenate([good, defective])

    assert found.accept_below is None or (highest is not None and found.accept_below <= highest)
    assert found.reject_from is None or (above is not None and found.reject_from > above)
    if found.accept_below is not None and found.reject_from is not None:
        assert found.accept_below <= found.reject_from
    best = min(priced(pair, good, defective, costs, rate) for pair in pairs(values, highest, above))
    mine = priced((found.accept_below, found.reject_from), good, defective, costs, rate)
    assert mine <= best + 1e-9


@settings(max_examples=150, deadline=None)
@given(scores, fractions, fractions)
def test_without_costs_as_little_as_possible_is_left_to_review(values, up_to, down_to) -> None:
    highest, above = limit(values, up_to), limit(values, down_to)
    found = least_review(values, highest, above)

    def reviewed(accept, reject):
        low, high = -INF if accept is None else accept, INF if reject is None else reject
        return int(((values >= low) & (values < high)).sum())

    assert found.accept_below is None or found.accept_below <= highest
    assert found.reject_from is None or found.reject_from > above
    fewest = min(reviewed(*pair) for pair in pairs(values, highest, above))
    assert reviewed(found.accept_below, found.reject_from) <= fewest


def test_where_both_sides_are_proven_for_a_score_there_is_one_threshold() -> None:
    assert least_review(np.arange(10.0), 8.0, 2.0) == Thresholds(5.0, 5.0)


def test_thresholds_lie_between_scores_even_where_no_number_does() -> None:
    low = 1.0
    high = float(np.nextafter(low, 2))

    assert between(np.array([high, low, low])).tolist() == [high]
    assert between(np.array([0.0, 1.0, 4.0])).tolist() == [0.5, 2.5]


@pytest.mark.parametrize(("miss", "review", "accepts"), [(1000.0, 1.0, False), (1.0, 1000.0, True)])
def test_a_dear_miss_accepts_less_and_a_dear_review_more(miss, review, accepts) -> None:
    good, defective = np.arange(0.0, 100), np.arange(40.0, 140)
    found = cheapest(
        good, defective, 50.0, 90.0, costs=Costs(miss=miss, false_call=1, review=review), defect_rate=0.5
    )
    middles = between(np.concatenate([good, defective]))
    assert bool(found.accept_below == middles[middles <= 50][-1]) is accepts
