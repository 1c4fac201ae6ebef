"""metrics.bootstrap: agrees with scipy's BCa, covers, is reproducible and vectorised in chunks."""

import numpy as np
import pytest
from scipy import stats

from foveal.core.errors import UsageError
from foveal.metrics import bootstrap as module
from foveal.metrics.bootstrap import bootstrap


def ratio(means: np.ndarray) -> np.ndarray:
    return means[:, 0] / means[:, 1]


@pytest.mark.parametrize("n", [25, 150])
def test_a_mean_equals_scipys_bca(n):
    values = np.random.default_rng(0).exponential(size=n)

    found = bootstrap(values, draws=50_000)
    oracle = stats.bootstrap((values,), np.mean, n_resamples=50_000, method="BCa", rng=1).confidence_interval

    width = oracle.high - oracle.low
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=0.015 * width)


def test_a_function_of_several_means_equals_scipys_bca():
    rng = np.random.default_rng(0)
    columns = np.stack([rng.exponential(size=120), 1 + rng.random(120)], axis=1)

    found = bootstrap(columns, ratio, draws=20_000)
    oracle = stats.bootstrap(
        (columns[:, 0], columns[:, 1]),
        lambda a, b, axis: a.mean(axis=axis) / b.mean(axis=axis),
        paired=True,
        n_resamples=20_000,
        method="BCa",
        rng=1,
    ).confidence_interval

    assert (found.low, found.high) == pytest.approx(
        (oracle.low, oracle.high), abs=0.04 * (oracle.high - oracle.low)
    )


def test_groups_of_images_give_nearly_the_acceleration_of_single_ones(monkeypatch):
    values = np.random.default_rng(0).exponential(size=199)
    single = bootstrap(values, draws=5000)

    monkeypatch.setattr(module, "_GROUPS", 100)
    grouped = bootstrap(values, draws=5000)

    assert grouped.low == pytest.approx(single.low, abs=0.03)
    assert grouped.high == pytest.approx(single.high, abs=0.03)


def test_covers_the_truth_of_a_skewed_mean_about_as_often_as_promised():
    rng = np.random.default_rng(0)
    found = [bootstrap(rng.exponential(size=80), draws=400, seed=repetition) for repetition in range(300)]

    covered = np.mean([one.low <= 1 <= one.high for one in found])

    assert 0.90 <= covered <= 0.98


def test_equal_seeds_give_equal_intervals_and_chunks_do_not_matter(monkeypatch):
    values = np.random.default_rng(0).normal(size=100)
    whole = bootstrap(values, seed=3)

    monkeypatch.setattr(module, "_CELLS", 700)

    chunked = bootstrap(values, seed=3)
    assert (chunked.low, chunked.high) == pytest.approx((whole.low, whole.high), rel=1e-12)
    assert bootstrap(values, seed=3) == chunked
    assert bootstrap(values, seed=4) != chunked


def test_the_interval_contains_a_value_that_is_biased_upwards():
    rng = np.random.default_rng(0)

    found = [
        bootstrap(rng.normal(size=(40, 9)), lambda m: np.abs(m).sum(axis=1), draws=200, seed=repetition)
        for repetition in range(100)
    ]

    assert all(one.low <= one.value <= one.high for one in found)


@pytest.mark.parametrize("values", [np.full(5, 2.0), np.array([2.0])])
def test_values_that_do_not_vary_give_a_point(values):
    found = bootstrap(values)

    assert (found.value, found.low, found.high) == (2, 2, 2)
    assert (found.n, found.method) == (len(values), "bootstrap-bca")


@pytest.mark.parametrize(
    ("values", "confidence", "text"),
    [
        ([], 0.95, "at least one image"),
        ([1.0, np.nan], 0.95, "needs finite values"),
        ([1.0], 1.0, r"confidence must be in \(0, 1\)"),
    ],
)
def test_what_cannot_be_resampled_is_refused(values, confidence, text):
    with pytest.raises(UsageError, match=text):
        bootstrap(np.array(values), confidence=confidence)
