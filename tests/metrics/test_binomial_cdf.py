"""metrics.binomial_cdf: equal to scipy's, at the edges too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from foveal.core.errors import UsageError
from foveal.metrics.binomial_cdf import binomial_cdf, incomplete_beta


@given(n=st.integers(0, 1_000_000), share=st.floats(0, 1), p=st.floats(0, 1))
def test_equals_scipy(n, share, p):
    successes = int(share * n)

    assert binomial_cdf(successes, n, p) == pytest.approx(
        stats.binom.cdf(successes, n, p), rel=1e-7, abs=1e-280
    )


@given(n=st.integers(1, 1_000_000), sigmas=st.floats(-6, 6), p=st.floats(0.001, 0.999))
def test_equals_scipy_where_it_matters(n, sigmas, p):
    successes = int(np.clip(n * p + sigmas * (n * p * (1 - p)) ** 0.5, 0, n))

    assert binomial_cdf(successes, n, p) == pytest.approx(stats.binom.cdf(successes, n, p), rel=1e-7)


@given(x=st.floats(0, 1), a=st.floats(0.5, 1e4), b=st.floats(0.5, 1e4))
def test_incomplete_beta_equals_scipy(x, a, b):
    assert incomplete_beta(x, a, b) == pytest.approx(special.betainc(a, b, x), rel=1e-8, abs=1e-280)


def test_is_sure_where_nothing_can_happen():
    assert binomial_cdf(-1, 5, 0.5) == 0
    assert binomial_cdf(5, 5, 0.5) == binomial_cdf(9, 5, 0.5) == binomial_cdf(0, 0, 0.5) == 1
    assert binomial_cdf(2, 5, 0.0) == 1
    assert binomial_cdf(2, 5, 1.0) == 0


@pytest.mark.parametrize(("n", "p"), [(-1, 0.5), (5, 1.5), (5, -0.1), (5, float("nan"))])
def test_what_is_no_trial_is_refused(n, p):
    with pytest.raises(UsageError, match=r"need n ≥ 0 and p in \[0, 1\]"):
        binomial_cdf(1, n, p)
