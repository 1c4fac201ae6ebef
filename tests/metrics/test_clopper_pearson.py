"""metrics.clopper_pearson: equal to scipy's beta quantiles, and covers as often as it promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from foveal.core.errors import UsageError
from foveal.metrics.clopper_pearson import clopper_pearson


def scipy_interval(successes, n, confidence):
    interval = stats.binomtest(successes, n).proportion_ci(confidence, method="exact")
    return interval.low, interval.high


@given(n=st.integers(1, 1_000_000), share=st.floats(0, 1), confidence=st.floats(0.01, 0.99999))
def test_equals_scipy(n, share, confidence):
    successes = int(share * n)

    found = clopper_pearson(successes, n, confidence)

    assert (found.low, found.high) == pytest.approx(
        scipy_interval(successes, n, confidence), rel=1e-8, abs=1e-10
    )
    assert found.low <= found.value <= found.high
    assert (found.value, found.n, found.method) == (successes / n, n, "clopper-pearson")


@pytest.mark.parametrize("n", [1, 2, 3, 10, 299, 1_000_000])
@pytest.mark.parametrize("end", ["none", "one", "all but one", "all"])
def test_edges_equal_scipy(n, end):
    successes = {"none": 0, "one": 1, "all but one": n - 1, "all": n}[end]

    found = clopper_pearson(successes, n)

    assert (found.low, found.high) == pytest.approx(scipy_interval(successes, n, 0.95), rel=1e-7, abs=1e-12)
    assert (found.low == 0) == (successes == 0)
    assert (found.high == 1) == (successes == n)


def test_mirrored_counts_have_mirrored_intervals():
    one, other = clopper_pearson(30, 100), clopper_pearson(70, 100)

    assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low), abs=1e-12)


@pytest.mark.parametrize("truth", [0.01, 0.5, 0.93, 1.0])
def test_covers_the_truth_at_least_as_often_as_promised(truth):
    rng = np.random.default_rng(0)
    intervals = {k: clopper_pearson(k, 60) for k in range(61)}

    drawn = [intervals[int(k)] for k in rng.binomial(60, truth, size=4000)]

    assert np.mean([one.low <= truth <= one.high for one in drawn]) >= 0.95 - 0.01


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0, 0), "at least one trial; got n=0"),
        ((-1, 5), "successes must be in 0..5; got -1"),
        ((6, 5), "successes must be in 0..5; got 6"),
        ((1, 5, 1.0), r"confidence must be in \(0, 1\); got 1.0"),
        ((1, 5, 0.0), r"confidence must be in \(0, 1\); got 0.0"),
    ],
)
def test_what_is_no_proportion_is_refused(arguments, text):
    with pytest.raises(UsageError, match=text):
        clopper_pearson(*arguments)


def test_accepts_numpy_counts_and_returns_plain_numbers():
    found = clopper_pearson(np.int64(3), np.int64(4))

    assert type(found.value) is float
    assert type(found.n) is int
