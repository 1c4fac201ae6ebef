"""The test by drawn signs: keeps its level, is McNemar's on ones, and finds what is there."""

import numpy as np
import pytest

from foveal.core.errors import UsageError
from foveal.metrics.mcnemar import mcnemar
from foveal.metrics.sign_flips import sign_flips

RNG = np.random.default_rng


@pytest.mark.parametrize(("only_a", "only_b"), [(9, 1), (15, 5), (4, 4), (30, 12), (0, 0)])
def test_equals_the_exact_test_where_there_is_only_right_and_wrong(only_a: int, only_b: int) -> None:
    a = np.array([True] * only_a + [False] * only_b + [True] * 20)
    b = np.array([False] * only_a + [True] * only_b + [True] * 20)

    found = sign_flips(a.astype(float) - b.astype(float))

    assert found == pytest.approx(mcnemar(a, b).p_value, abs=0.015)


def test_calls_no_more_than_five_of_a_hundred_equal_pairs_different_even_of_few_pictures() -> None:
    rng = RNG(0)
    for count in (3, 6, 40):
        draws = (rng.integers(0, 16, count) / 15 - rng.integers(0, 16, count) / 15 for _ in range(150))
        called = sum(sign_flips(one) < 0.05 for one in draws)
        assert called <= 15, "P(more than 15 of 150 at 5 %) is 0.004"
    assert sign_flips(np.array([0.5, 0.5])) > 0.4, "two pictures prove nothing"


def test_finds_a_difference_and_does_not_mind_its_sign_or_order() -> None:
    gains = RNG(1).normal(0.05, 0.1, 200)

    assert sign_flips(gains) < 0.001
    assert sign_flips(gains) == sign_flips(-gains)
    assert sign_flips(gains, seed=3) == sign_flips(gains, seed=3)


def test_no_numbers_are_refused() -> None:
    for broken in (np.zeros(0), np.array([np.nan]), np.zeros((2, 2))):
        with pytest.raises(UsageError, match="finite differences"):
            sign_flips(broken)
