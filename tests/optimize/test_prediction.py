"""optimize.prediction: exact where the law is, bounded where it is not, best for what it was fitted to."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.core.errors import DataError, UsageError
from foveal.optimize import prediction
from foveal.optimize.prediction import Parts, Point, fit

SECONDS = st.floats(1e-5, 1.0)
FACTORS = st.floats(0.3, 3.5)
PARTS = st.builds(Parts, input=st.floats(0, 0.1), layers=SECONDS)


def lawful(parts: Parts, factor: float, intercept: float = 0.0) -> Point:
    return Point(parts, parts.input + intercept + factor * parts.layers)


@given(st.lists(PARTS, min_size=1, max_size=5), PARTS, FACTORS)
def test_a_factor_is_found_and_holds_for_other_networks(seen, unseen, factor) -> None:
    found = fit([lawful(parts, factor) for parts in seen])

    assert found.factor == pytest.approx(factor, rel=1e-6)
    assert found.error([lawful(unseen, factor)]) == pytest.approx(0, abs=1e-6)


@given(PARTS, SECONDS)
def test_one_network_is_predicted_exactly_within_the_bounds_of_the_factor(parts, seconds) -> None:
    found = fit([Point(parts, seconds)])

    if 0.25 <= (seconds - parts.input) / parts.layers <= 4:
        assert found.predict(parts) == pytest.approx(seconds, rel=1e-6)
    assert 0.25 <= found.factor <= 4


@given(st.lists(st.builds(Point, parts=PARTS, seconds=SECONDS), min_size=1, max_size=6))
def test_no_fit_leaves_its_bounds_or_predicts_less_than_nothing(points) -> None:
    found = fit(points)

    assert 0.25 <= found.factor <= 4
    assert abs(found.intercept) <= min(point.seconds for point in points) / 2 * (1 + 1e-9)
    assert found.predict(Parts(0, 0)) >= 0


def test_many_networks_show_an_intercept_that_two_alike_do_not() -> None:
    def points(sizes) -> list[Point]:
        return [lawful(Parts(0.01, size), 1.3, 0.05) for size in sizes]

    many = fit(points([0.05 * 2**k for k in range(6)] * 20))
    assert many.intercept == pytest.approx(0.05, rel=0.1)
    assert many.factor == pytest.approx(1.3, rel=0.05)
    one, other = points([1.0])[0], points([1.01])[0]
    alike = fit([one, Point(other.parts, other.seconds * 0.98)])  # noise would give a slope far from 1.3
    assert alike.factor == pytest.approx(1.35, rel=0.05)


@given(st.lists(st.builds(Point, parts=PARTS, seconds=SECONDS), min_size=2, max_size=5), FACTORS)
def test_no_other_factor_is_better_in_relative_squares(points, other) -> None:
    found = fit(points)

    def squares(factor: float) -> float:
        return sum(
            ((p.parts.input + found.intercept + factor * p.parts.layers) / p.seconds - 1) ** 2 for p in points
        )

    assert squares(found.factor) <= squares(other) * (1 + 1e-9) + 1e-12


def test_errors_are_relative() -> None:
    found = fit([Point(Parts(0, 1), 2)])

    assert found.error([Point(Parts(0, 1), 4), Point(Parts(0, 0.01), 0.02)]) == pytest.approx(0.25)


def test_all_of_it_can_be_stored() -> None:
    found = fit([Point(Parts(0.1, 1), 2), Point(Parts(0.1, 2), 4.5)])

    assert len(found.points) == 2
    assert prediction.from_json(json.loads(json.dumps(found.as_json()))) == found


@pytest.mark.parametrize(
    "change", [{"schema": "x"}, {"points": []}, {"points": [{"input": 0, "layers": 1, "seconds": 0}]}]
)
def test_what_is_no_prediction_is_refused(change) -> None:
    with pytest.raises(DataError, match="no prediction"):
        prediction.from_json({**fit([Point(Parts(0, 1), 2)]).as_json(), **change})


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one"):
        fit([])
    with pytest.raises(UsageError, match="take no time"):
        fit([Point(Parts(1, 0), 1)])
    with pytest.raises(UsageError, match="at least one"):
        fit([Point(Parts(0, 1), 2)]).error([])
    with pytest.raises(UsageError, match="at least 0"):
        Parts(-1, 0)
