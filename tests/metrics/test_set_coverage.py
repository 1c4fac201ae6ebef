"""metrics.set_coverage and majority: counted by hand."""

import numpy as np
import pytest

from foveal.calibrate.sets.lac import lac
from foveal.core.errors import UsageError
from foveal.metrics.majority import majority
from foveal.metrics.set_coverage import set_coverage, surely_covered


def test_coverage_and_size_are_counted():
    sets = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [1, 1, 1]], dtype=bool)

    found = set_coverage(sets, np.array([0, 2, 2, 1]))

    assert (found.coverage.value, found.coverage.n) == (0.75, 4)
    assert found.mean_size == 1.75
    assert (found.singleton_share.value, found.singleton_share.n) == (0.5, 4)


@pytest.mark.parametrize(("n", "alpha"), [(9, 0.1), (28, 0.1), (5000, 0.1), (99, 0.01)])
def test_one_draw_of_calibration_images_surely_covers_so_much(n, alpha):
    rng = np.random.default_rng(0)
    quantiles = [
        lac(np.stack([1 - s, s], 1), np.zeros(n, int), alpha=alpha).quantile for s in rng.random((2000, n))
    ]

    # With scores uniform in (0, 1) the quantile is the share of truths that its sets hold.
    assert np.quantile(quantiles, 0.05) == pytest.approx(surely_covered(n, alpha), abs=0.01)


@pytest.mark.parametrize("sets", [np.ones((3, 2)), np.ones((2, 2), bool), np.ones(3, bool)])
def test_what_are_no_sets_is_refused(sets):
    with pytest.raises(UsageError, match="need sets bool"):
        set_coverage(sets, np.zeros(3, dtype=int))


def test_no_sets_at_all_are_refused():
    with pytest.raises(UsageError, match="need sets bool"):
        set_coverage(np.ones((0, 2), bool), np.zeros(0, dtype=int))


def test_majority_names_the_most_frequent_class():
    found = majority(np.array([2, 1, 2, 0, 2]))

    assert found.index == 2
    assert (found.accuracy.value, found.accuracy.n) == (0.6, 5)


def test_majority_of_a_tie_is_the_first():
    assert majority(np.array([1, 1, 0, 0])).index == 0


@pytest.mark.parametrize("labels", [np.zeros(0, int), np.zeros(3), np.zeros((2, 2), int), np.array([-1])])
def test_majority_of_what_are_no_labels_is_refused(labels):
    with pytest.raises(UsageError, match="need labels, integers"):
        majority(labels)
