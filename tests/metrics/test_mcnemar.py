"""metrics.mcnemar: equal to scipy's binomial test, blind to what both do alike, honest under the null."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from foveal.core.errors import UsageError
from foveal.metrics.mcnemar import mcnemar


def answers(only_a: int, only_b: int, both: int = 0, neither: int = 0):
    """Return which images the first and the second named correctly."""
    first = [True] * only_a + [False] * only_b + [True] * both + [False] * neither
    second = [False] * only_a + [True] * only_b + [True] * both + [False] * neither
    return np.array(first, dtype=bool), np.array(second, dtype=bool)


@given(only_a=st.integers(0, 200), only_b=st.integers(0, 200), alike=st.integers(1, 50))
def test_p_value_is_that_of_the_exact_binomial_test(only_a: int, only_b: int, alike: int) -> None:
    found = mcnemar(*answers(only_a, only_b, alike, alike))

    expected = binomtest(only_a, only_a + only_b, 0.5).pvalue if only_a + only_b else 1.0
    assert found.p_value == pytest.approx(expected, rel=1e-9)
    assert (found.only_a, found.only_b, found.n) == (only_a, only_b, only_a + only_b + 2 * alike)


@given(
    only_a=st.integers(0, 40), only_b=st.integers(0, 40), both=st.integers(0, 40), neither=st.integers(0, 40)
)
def test_images_that_both_treat_alike_change_nothing(
    only_a: int, only_b: int, both: int, neither: int
) -> None:
    alone = mcnemar(*answers(only_a, only_b, 1))

    found = mcnemar(*answers(only_a, only_b, both + 1, neither))

    assert found.p_value == alone.p_value


@given(only_a=st.integers(0, 40), only_b=st.integers(0, 40))
def test_swapping_the_two_swaps_the_counts_and_nothing_else(only_a: int, only_b: int) -> None:
    a, b = answers(only_a, only_b, 3)

    one, other = mcnemar(a, b), mcnemar(b, a)

    assert one.p_value == other.p_value
    assert (one.only_a, one.only_b) == (other.only_b, other.only_a)


def test_equal_recognizers_are_called_different_in_at_most_five_percent_of_draws() -> None:
    rng = np.random.default_rng(0)
    called = sum(mcnemar(rng.random(200) < 0.8, rng.random(200) < 0.8).p_value < 0.05 for _ in range(2000))

    assert called <= 2000 * 0.05


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (np.ones(3, bool), np.ones(4, bool), r"got \(3,\) and \(4,\)"),
        (np.ones(3, int), np.ones(3, bool), "need bool"),
        (np.ones(0, bool), np.ones(0, bool), "at least one image"),
        (np.ones((2, 2), bool), np.ones((2, 2), bool), "same images"),
    ],
)
def test_other_arrays_are_refused(first, second, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        mcnemar(first, second)
