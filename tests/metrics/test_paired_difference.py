"""metrics.paired_difference: the score test inverted; covers the truth; needs no disagreement."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from foveal.core.errors import UsageError
from foveal.metrics.paired_difference import paired_difference

Z = 1.959964


@given(only_a=st.integers(0, 60), only_b=st.integers(0, 60), alike=st.integers(0, 200))
def test_zero_is_excluded_exactly_where_the_score_test_rejects_it(
    only_a: int, only_b: int, alike: int
) -> None:
    n = only_a + only_b + alike
    if n == 0 or only_a + only_b == 0:
        return
    statistic = abs(only_a - only_b) / math.sqrt(only_a + only_b)

    found = paired_difference(only_a, only_b, n)

    if abs(statistic - Z) > 1e-6:
        assert (found.low > 0 or found.high < 0) == (statistic > Z)


@given(only_a=st.integers(0, 60), only_b=st.integers(0, 60), alike=st.integers(1, 200))
def test_swapping_the_two_turns_the_interval_round(only_a: int, only_b: int, alike: int) -> None:
    n = only_a + only_b + alike

    one, other = paired_difference(only_a, only_b, n), paired_difference(only_b, only_a, n)

    assert -1 <= one.low <= one.value <= one.high <= 1
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-9)


def exact_coverage(n: int, a: float, b: float) -> float:
    """Return the probability with which the interval covers a - b, over all outcomes."""
    covered = 0.0
    for only_a in range(n + 1):
        for only_b in range(n + 1 - only_a):
            rest = n - only_a - only_b
            ways = math.comb(n, only_a) * math.comb(n - only_a, only_b)
            chance = ways * a**only_a * b**only_b * (1 - a - b) ** rest
            found = paired_difference(only_a, only_b, n)
            covered += chance * (found.low <= a - b <= found.high)
    return covered


@pytest.mark.parametrize(("a", "b"), [(0.1, 0.1), (0.3, 0.1), (0.05, 0.02), (0.2, 0.0)])
def test_it_covers_the_true_difference_about_as_often_as_it_says(a: float, b: float) -> None:
    assert exact_coverage(30, a, b) > 0.93


def test_recognizers_that_never_disagree_may_still_differ_a_little() -> None:
    found = paired_difference(0, 0, 100)

    assert found.low == pytest.approx(-found.high)
    assert found.high == pytest.approx(Z**2 / (100 + Z**2), rel=1e-3)


def score(only_a: int, only_b: int, n: int, difference: float) -> float:
    """Return the score statistic with the constrained estimate found by numeric maximization."""

    def loss(q: float) -> float:
        shares = q + difference, q, 1 - 2 * q - difference
        counts = only_a, only_b, n - only_a - only_b
        return -sum(k * math.log(p) for k, p in zip(counts, shares, strict=True) if k)

    bounds = max(0.0, -difference) + 1e-12, (1 - difference) / 2 - 1e-12
    q = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    return (only_a - only_b - n * difference) / math.sqrt(n * (2 * q + difference * (1 - difference)))


@pytest.mark.parametrize(("only_a", "only_b", "n"), [(12, 5, 60), (30, 31, 500), (3, 9, 20), (40, 2, 90)])
def test_ends_are_where_the_score_test_just_accepts(only_a: int, only_b: int, n: int) -> None:
    found = paired_difference(only_a, only_b, n)

    assert score(only_a, only_b, n, found.low) == pytest.approx(Z, rel=1e-4)
    assert score(only_a, only_b, n, found.high) == pytest.approx(-Z, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((0, 0, 0), "at least one image"), ((3, 3, 5), "cannot be named"), ((-1, 0, 5), "cannot be named")],
)
def test_impossible_counts_are_refused(arguments: tuple[int, int, int], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        paired_difference(*arguments)


def test_another_confidence_is_refused_and_a_higher_one_is_wider() -> None:
    with pytest.raises(UsageError, match="confidence"):
        paired_difference(1, 2, 10, confidence=1.0)
    wide, narrow = paired_difference(9, 2, 50, 0.99), paired_difference(9, 2, 50, 0.9)
    assert np.array([wide.low, -wide.high]).max() < 1
    assert wide.low < narrow.low < narrow.high < wide.high
