"""metrics of prediction sets: sizes, single answers, coverage by class and by size, and its exact band."""

import numpy as np
import pytest
from scipy import stats

from foveal.core.errors import UsageError
from foveal.core.promises import conformal_rank
from foveal.metrics.beta_band import beta_band
from foveal.metrics.class_coverage import class_coverage
from foveal.metrics.set_size import set_size
from foveal.metrics.singletons import singletons
from foveal.metrics.size_stratified_coverage import size_stratified_coverage


def drawn(n=500, classes=12, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n, classes)) < rng.random((n, 1)), rng.integers(classes, size=n)


def test_sizes():
    sets, _ = drawn()

    found = set_size(sets)

    assert found.mean.value == pytest.approx(sets.sum(axis=1).mean())
    assert found.mean.low < found.mean.value < found.mean.high
    assert found.p95.value == np.quantile(sets.sum(axis=1), 0.95)


def test_single_answers_and_empty_sets():
    sets = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]], dtype=bool)

    found = singletons(sets, np.array([0, 0, 1, 2]))

    assert (found.share.value, found.right.value, found.right.n, found.empty.value) == (0.5, 0.5, 2, 0.25)
    assert singletons(np.ones((3, 2), bool), np.zeros(3, int)).right is None


def test_coverage_by_class():
    sets, labels = drawn()
    labels[labels == 3] = 4

    found = class_coverage(sets, labels, alpha=0.4)

    hits = sets[np.arange(500), labels]
    assert 3 not in found.classes
    values = [hits[labels == k].mean() for k in found.classes]
    assert [one.value for one in found.coverage] == pytest.approx(values)
    assert found.worst == found.classes[int(np.argmin(values))]
    assert found.gap == pytest.approx(np.mean(np.abs(np.array(values) - 0.6)))
    one = found.coverage[0]
    assert one.low == pytest.approx(
        stats.beta.ppf(0.025 / 11, one.value * one.n, one.n - one.value * one.n + 1)
    )


def test_all_class_intervals_hold_together():
    rng, held = np.random.default_rng(0), []
    for _ in range(300):
        labels = rng.integers(6, size=240)
        sets = rng.random((240, 6)) < 0.9
        found = class_coverage(sets, labels, alpha=0.1)
        held.append(all(one.low <= 0.9 <= one.high for one in found.coverage))

    assert np.mean(held) >= 0.95 - 3 * (0.05 * 0.95 / 300) ** 0.5


def test_coverage_by_size():
    sets, labels = drawn()
    sizes, hits = sets.sum(axis=1), sets[np.arange(500), labels]

    found = size_stratified_coverage(sets, labels)

    assert [(one.least, one.most) for one in found] == [(0, 1), (2, 3), (4, 6), (7, 10), (11, 12)]
    assert sum(one.coverage.n for one in found) == 500
    for one in found:
        inside = (sizes >= one.least) & (sizes <= one.most)
        assert one.coverage.n == inside.sum()
        assert one.coverage.value == pytest.approx(hits[inside].mean())


def test_sizes_that_do_not_occur_are_left_out():
    found = size_stratified_coverage(np.eye(3, dtype=bool), np.arange(3))

    assert [(one.least, one.most, one.coverage.value) for one in found] == [(0, 1, 1)]


@pytest.mark.parametrize(
    ("alpha", "low", "high"), [(0.1, 0.863, 0.932), (0.05, 0.923, 0.973), (0.01, 0.976, 0.999)]
)
def test_bands_of_a_thousand_images(alpha, low, high):
    band = beta_band(1000, 1000, alpha=alpha)

    assert (band.low, band.high) == (low, high)


@pytest.mark.parametrize(("n", "m"), [(9, 1), (50, 7), (200, 1000), (100, 3)])
@pytest.mark.parametrize("level", [0.9, 0.99])
def test_the_band_is_that_of_the_beta_binomial_law_and_no_wider(n, m, level):
    k = conformal_rank(n, 0.1)
    law = stats.betabinom(m, k, n + 1 - k)

    band = beta_band(n, m, level=level)

    tail = (1 - level) / 2
    assert law.cdf(band.fewest - 1) <= tail + 1e-12
    assert law.cdf(band.fewest) > tail - 1e-12
    assert law.sf(band.most) <= tail + 1e-12
    assert law.sf(band.most - 1) > tail - 1e-12


def test_a_rank_of_ones_own_moves_the_band():
    assert beta_band(1000, 1000, rank=916).fewest > beta_band(1000, 1000).fewest


@pytest.mark.parametrize("arguments", [{"n": 8}, {"n": 100, "rank": 101}, {"n": 100, "alpha": 1}, {"m": 0}])
def test_impossible_bands_are_refused(arguments):
    with pytest.raises(UsageError):
        beta_band(**{"n": 100, "m": 100, **arguments})


@pytest.mark.parametrize(
    ("sets", "labels"),
    [
        (np.ones((0, 3), bool), np.zeros(0, int)),
        (np.ones((2, 3)), np.zeros(2, int)),
        (np.ones((2, 3), bool), np.zeros(3, int)),
        (np.ones((2, 3), bool), np.array([0, 3])),
        (np.ones((2, 3), bool), np.zeros(2)),
    ],
)
def test_nonsense_is_refused(sets, labels):
    for metric in (singletons, size_stratified_coverage, lambda s, y: class_coverage(s, y, alpha=0.1)):
        with pytest.raises(UsageError):
            metric(sets, labels)
