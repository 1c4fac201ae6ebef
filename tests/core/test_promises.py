"""core.promises: the smallest numbers that prove what is promised, and the same ones everywhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from foveal.calibrate.fit import split_roles
from foveal.core.errors import UsageError
from foveal.core.promises import (
    DELTA,
    RISK,
    calibration_images_for_sets,
    calibration_images_needed,
    conformal_rank,
    images_needed,
)


@given(risk=st.floats(0.001, 0.5), delta=st.floats(0.001, 0.5))
def test_images_needed_is_the_smallest_number_that_can_prove_it(risk: float, delta: float) -> None:
    needed = images_needed(risk, delta)

    assert stats.binom.cdf(0, needed, risk) <= delta * (1 + 1e-6)
    assert stats.binom.cdf(0, needed - 1, risk) > delta * (1 - 1e-6)


def test_numbers_of_the_default_promise_are_those_of_the_documentation() -> None:
    assert images_needed(RISK, DELTA) == 299
    assert calibration_images_needed(RISK, DELTA) == 449


@pytest.mark.parametrize(
    ("risk", "delta"), [(0, 0.05), (1, 0.05), (0.01, 0), (0.01, 1), (float("nan"), 0.05)]
)
def test_shares_outside_their_range_are_refused(risk: float, delta: float) -> None:
    with pytest.raises(UsageError, match=r"risk and delta are shares in \(0, 1\); got"):
        images_needed(risk, delta)


@pytest.mark.parametrize(("alpha", "wanted"), [(0.1, 14), (0.01, 149), (0.5, 2)])
def test_so_many_calibration_images_leave_enough_for_sets_and_two_fewer_do_not(alpha, wanted):
    assert calibration_images_for_sets(alpha) == wanted
    for seed in range(20):
        proving = len(split_roles(np.zeros(wanted, dtype=int), seed=seed)[1])
        assert conformal_rank(proving, alpha) <= proving
    fewer = len(split_roles(np.zeros(max(1, wanted - 2), dtype=int))[1])
    assert conformal_rank(fewer, alpha) > fewer
