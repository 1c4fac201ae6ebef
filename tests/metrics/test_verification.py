"""Error rates of verification: by counting, and laws."""

import numpy as np
import pytest

from foveal.metrics.equal_error_rate import equal_error_rate
from foveal.metrics.error_rates import error_rates
from foveal.metrics.tar_at_far import tar_at_far


def test_rates_are_shares_that_are_counted() -> None:
    rng = np.random.default_rng(0)
    same, different = rng.normal(1, 1, 60).round(1), rng.normal(0, 1, 90).round(1)

    rates = error_rates(same, different)

    for threshold, far, frr in zip(*rates, strict=True):
        assert far == pytest.approx((different >= threshold).mean())
        assert frr == pytest.approx((same < threshold).mean())
    assert (rates.false_accepts[0], rates.false_rejects[0]) == (1, 0)
    assert (rates.false_accepts[-1], rates.false_rejects[-1]) == (0, 1)


def test_weights_are_repetitions() -> None:
    rng = np.random.default_rng(1)
    same, different = rng.normal(1, 1, 30), rng.normal(0, 1, 40)
    times, others = rng.integers(0, 4, 30), rng.integers(0, 4, 40)

    weighted = error_rates(same, different, same_weights=times, different_weights=others)
    repeated = error_rates(np.repeat(same, times), np.repeat(different, others))

    assert equal_error_rate(weighted)[0] == pytest.approx(equal_error_rate(repeated)[0], abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_scores_that_say_nothing_are_wrong_half_the_time(seed) -> None:
    rng = np.random.default_rng(seed)

    value, _ = equal_error_rate(error_rates(rng.random(5000), rng.random(20_000)))

    assert value == pytest.approx(0.5, abs=0.02)
    assert equal_error_rate(error_rates(np.ones(5), np.ones(9)))[0] == pytest.approx(0.5)


def test_the_equal_error_rate_of_two_normal_distributions_is_known() -> None:
    from statistics import NormalDist

    rng = np.random.default_rng(0)
    value, threshold = equal_error_rate(error_rates(rng.normal(2, 1, 40_000), rng.normal(0, 1, 40_000)))

    assert value == pytest.approx(NormalDist().cdf(-1), abs=0.005)
    assert threshold == pytest.approx(1, abs=0.02)


def test_separated_scores_have_no_error() -> None:
    rates = error_rates(np.array([0.8, 0.9]), np.array([0.1, 0.2, 0.3]))

    assert equal_error_rate(rates) == (0, 0.8)
    assert tar_at_far(rates, 0.0) == (1, 0.8)


def test_the_share_of_accepted_pairs_at_a_share_of_false_ones() -> None:
    same, different = np.array([0.2, 0.5, 0.7, 0.9]), np.arange(10) / 10

    rates = error_rates(same, different)

    assert tar_at_far(rates, 0.1) == (pytest.approx(0.25), pytest.approx(0.9))
    assert tar_at_far(rates, 0.35) == (pytest.approx(0.5), pytest.approx(0.7))
    assert tar_at_far(rates, 0.0) == (0, np.inf)
