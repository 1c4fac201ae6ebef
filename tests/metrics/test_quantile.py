"""metrics.quantile: the interval of order statistics against scipy's binomial and by counting."""

import numpy as np
import pytest
from scipy import stats

from foveal.core.errors import UsageError
from foveal.metrics.quantile import quantile


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("n", [1, 5, 6, 40, 500, 3000])
def test_ranks_are_those_of_the_binomial_distribution(n, share):
    found = quantile(np.arange(1.0, n + 1), share)

    law = stats.binom(n, share)
    below = [r for r in range(1, n + 1) if law.cdf(r - 1) <= 0.025]
    above = [r for r in range(1, n + 1) if law.sf(r - 1) <= 0.025]
    assert found.low == (max(below) if below else None)
    assert found.high == (min(above) if above else None)
    assert found.value == pytest.approx(np.quantile(np.arange(1.0, n + 1), share))


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_it_covers_the_truth_of_a_skewed_law_as_often_as_promised(share):
    rng = np.random.default_rng(0)
    truth = stats.lognorm(1.0).ppf(share)

    covered = 0
    for _ in range(1000):
        found = quantile(rng.lognormal(size=120), share)
        assert found.low is not None
        covered += found.low <= truth and (found.high is None or truth <= found.high)

    assert covered >= 935  # 950 on average, 935 with probability 98 %


def test_order_does_not_matter_and_scale_carries_over():
    values = np.random.default_rng(1).exponential(size=50)

    found, scaled = quantile(values, 0.5), quantile(1000 * values[::-1], 0.5)

    assert (scaled.value, scaled.low, scaled.high) == pytest.approx(
        (1000 * found.value, 1000 * found.low, 1000 * found.high)
    )


def test_where_values_are_too_few_an_end_is_open_instead_of_invented():
    assert quantile(np.arange(5.0), 0.5).as_json() == {
        "value": 2.0,
        "low": None,
        "high": None,
        "n": 5,
        "method": "order-statistic",
    }
    assert quantile(np.arange(6.0), 0.5).high == 5.0
    assert quantile(np.arange(366.0), 0.99).high is None, "0.99 ** 366 is 2.53 %"
    assert quantile(np.arange(368.0), 0.99).high == 367.0, "0.99 ** 368 is 2.48 %"


@pytest.mark.parametrize(
    ("values", "share", "message"),
    [
        ([], 0.5, "needs values"),
        ([[1.0]], 0.5, "needs values"),
        ([1.0, np.nan], 0.5, "finite"),
        ([1.0], 0.0, "in \\(0, 1\\)"),
        ([1.0], 1.0, "in \\(0, 1\\)"),
    ],
)
def test_nonsense_is_refused(values, share, message):
    with pytest.raises(UsageError, match=message):
        quantile(np.array(values), share)
