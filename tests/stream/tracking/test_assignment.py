"""The cheapest assignment, beside scipy's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from foveal.core.errors import UsageError
from foveal.stream.tracking.assignment import assign, pairs


@settings(max_examples=300, deadline=None)
@given(
    rows=st.integers(0, 14),
    columns=st.integers(0, 14),
    seed=st.integers(0, 2**32),
    whole=st.booleans(),
    shift=st.sampled_from([-5.0, 0.0, 3.0]),
)
def test_no_assignment_is_cheaper(rows, columns, seed, whole, shift):
    rng = np.random.default_rng(seed)
    cost = (rng.integers(0, 4, (rows, columns)) if whole else rng.random((rows, columns))) + shift

    one, other = assign(cost)

    assert len(one) == len(set(one.tolist())) == len(set(other.tolist())) == min(rows, columns)
    assert one.tolist() == sorted(one.tolist())
    assert cost[one, other].sum() == pytest.approx(cost[linear_sum_assignment(cost)].sum(), abs=1e-9)


@pytest.mark.parametrize("shape", [(120, 120), (60, 200), (200, 60)])
def test_large_ones_equal_scipys_pair_by_pair(shape):
    cost = np.random.default_rng(0).random(shape)

    np.testing.assert_array_equal(assign(cost), linear_sum_assignment(cost))


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), rows=st.integers(0, 9), columns=st.integers(0, 9))
def test_allowed_pairs_have_the_largest_benefit(seed, rows, columns):
    rng = np.random.default_rng(seed)
    benefit, allowed = rng.random((rows, columns)) + 0.1, rng.random((rows, columns)) < 0.3

    one, other = pairs(benefit, allowed)

    assert allowed[one, other].all()
    assert len(set(one.tolist())) == len(set(other.tolist())) == len(one)
    masked = np.where(allowed, benefit, 0.0)
    assert benefit[one, other].sum() == pytest.approx(masked[linear_sum_assignment(-masked)].sum())


@pytest.mark.parametrize("cost", [np.array([1.0]), np.array([[np.nan]]), np.array([[np.inf, 1]])])
def test_costs_that_are_none_are_refused(cost):
    with pytest.raises(UsageError, match="finite costs"):
        assign(cost)
