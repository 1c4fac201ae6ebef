"""calibrate.inspection.proven: the limit is the extreme order statistic that an exact test still proves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from foveal.calibrate.inspection.proven import accept_limit, reject_limit, worst_of_group
from foveal.core.errors import UsageError
from foveal.core.promises import images_needed


@pytest.mark.parametrize(("rate", "delta"), [(0.01, 0.05), (0.05, 0.05), (0.1, 0.2), (0.5, 0.4)])
@pytest.mark.parametrize("n", [0, 1, 7, 58, 59, 298, 299, 1000])
def test_limit_is_the_last_order_statistic_whose_beta_law_keeps_the_promise(n, rate, delta) -> None:
    scores = np.random.default_rng(n).permutation(n).astype(np.float64)
    ranks = np.arange(1, n + 1)
    proven = ranks[stats.beta.sf(rate, ranks, n + 1 - ranks) <= delta].tolist()

    accept = accept_limit(scores, rate=rate, delta=delta)
    reject = reject_limit(scores, rate=rate, delta=delta)
    if not proven:
        assert accept.limit is reject.limit is None
        assert accept.needed == reject.needed == images_needed(rate, delta)
        assert n < accept.needed
    else:
        assert accept.limit == proven[-1] - 1
        assert reject.limit == n - proven[-1]
        assert accept.needed is reject.needed is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=60, max_size=120), st.integers(0, 3))
def test_ties_never_let_more_through_than_the_binomial_test_allows(values, seed) -> None:
    scores = np.random.default_rng(seed).permutation(np.array(values, np.float64))
    accept, reject = (side(scores, rate=0.05, delta=0.05).limit for side in (accept_limit, reject_limit))

    for wrong in ((scores < accept).sum(), (scores > reject).sum()):
        assert stats.binom.cdf(wrong, len(scores), 0.05) <= 0.05


def test_both_sides_are_mirror_images() -> None:
    scores = np.random.default_rng(1).normal(size=500)

    assert (
        accept_limit(scores, rate=0.02, delta=0.1).limit == -reject_limit(-scores, rate=0.02, delta=0.1).limit
    )


@pytest.mark.parametrize("scores", [np.array([np.nan]), np.array([np.inf]), np.ones((2, 2))])
def test_what_is_no_score_is_refused(scores) -> None:
    with pytest.raises(UsageError):
        accept_limit(scores, rate=0.1, delta=0.1)


def test_of_a_group_the_part_counts_that_is_likeliest_on_the_wrong_side() -> None:
    scores, groups = np.array([0.1, 0.9, 0.4, 0.5]), np.array([7, 7, 3, 3])

    assert worst_of_group(scores, groups, defective=True).tolist() == [0.4, 0.1]
    assert worst_of_group(scores, groups, defective=False).tolist() == [0.5, 0.9]
    assert worst_of_group(scores, None, defective=True) is scores
    with pytest.raises(UsageError, match="one group for each"):
        worst_of_group(scores, groups[:2], defective=True)
