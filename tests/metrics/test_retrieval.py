"""Metrics of retrieval: by hand, against scikit-learn, and at the edges."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from foveal.core.errors import UsageError
from foveal.metrics.average_precision import average_precision
from foveal.metrics.bootstrap import bootstrap
from foveal.metrics.clustered_mean import clustered_mean
from foveal.metrics.map_at_r import map_at_r
from foveal.metrics.recall_at_k import recall_at_k


def rows(*texts: str) -> np.ndarray:
    return np.array([[letter == "x" for letter in text] for text in texts])


def test_recall_is_whether_one_of_the_first_is_right() -> None:
    ranking = rows("x....", ".x..x", "....x", ".....")

    assert recall_at_k(ranking, 1).tolist() == [1, 0, 0, 0]
    assert recall_at_k(ranking, 2).tolist() == [1, 1, 0, 0]
    assert recall_at_k(ranking, 99).tolist() == [1, 1, 1, 0]


def test_map_at_r_by_hand() -> None:
    """Two right: places 1 and 3 of which only the first is within R = 2, (1/1) / 2."""
    assert map_at_r(rows("x.x..")).tolist() == [0.5]
    assert map_at_r(rows("xx...")).tolist() == [1.0]
    assert map_at_r(rows("...xx")).tolist() == [0.0]
    assert map_at_r(rows(".xxx.")).tolist() == [pytest.approx((1 / 2 + 2 / 3) / 3)]


def test_average_precision_is_that_of_scikit_learn_over_the_whole_ranking() -> None:
    rng = np.random.default_rng(0)
    ranking = rng.random((50, 40)) < 0.2
    ranking[:, -1] |= ~ranking.any(axis=1)

    expected = [average_precision_score(row, -np.arange(40)) for row in ranking]

    np.testing.assert_allclose(average_precision(ranking), expected)
    assert (map_at_r(ranking) <= average_precision(ranking) + 1e-12).all()


def test_nothing_relevant_has_no_precision() -> None:
    assert np.isnan(average_precision(rows("...."))).all()
    assert np.isnan(map_at_r(rows("...."))).all()


def test_intervals_are_as_wide_as_whatever_belongs_together_is_few() -> None:
    """100 values in 10 units of equal values know as much as 10."""
    rng = np.random.default_rng(1)
    of_units = rng.random(10)
    values, units = np.repeat(of_units, 10), np.repeat(np.arange(10) * 7, 10)

    together, apart = clustered_mean(values, units), bootstrap(values)

    assert together.value == pytest.approx(apart.value)
    assert (together.low, together.high) == pytest.approx((bootstrap(of_units).low, bootstrap(of_units).high))
    assert together.high - together.low > 2 * (apart.high - apart.low)
    assert (together.n, together.method) == (100, "bootstrap-bca-clustered")
    with pytest.raises(UsageError):
        clustered_mean(np.array([]), np.array([], int))
