"""metrics.fisher_exact: equality with scipy's tails, and that equal groups are rarely called different."""

import numpy as np
import pytest
from scipy import stats

from foveal.core.errors import UsageError
from foveal.metrics.fisher_exact import fisher_exact


@pytest.mark.parametrize(
    "counts", [(0, 20, 6, 20), (3, 300, 12, 400), (5, 5, 0, 7), (0, 10, 0, 9), (9, 9, 3, 3)]
)
def test_it_is_twice_the_smaller_tail(counts) -> None:
    a, n_a, b, n_b = counts
    table = [[a, n_a - a], [b, n_b - b]]
    tails = [stats.fisher_exact(table, alternative=side).pvalue for side in ("less", "greater")]

    assert fisher_exact(*counts) == pytest.approx(min(1, 2 * min(tails)))
    assert fisher_exact(*counts) == pytest.approx(fisher_exact(b, n_b, a, n_a))


def test_equal_groups_are_rarely_called_different() -> None:
    rng = np.random.default_rng(0)
    called = sum(
        fisher_exact(int(rng.binomial(80, 0.1)), 80, int(rng.binomial(120, 0.1)), 120) <= 0.05
        for _ in range(1000)
    )
    assert called <= 50


@pytest.mark.parametrize("counts", [(0, 0, 1, 2), (3, 2, 1, 2), (-1, 2, 1, 2), (1, 2, 5, 4)])
def test_what_are_no_groups_is_refused(counts) -> None:
    with pytest.raises(UsageError):
        fisher_exact(*counts)
