"""Where pictures belong together: estimates of all, intervals that hold when units are answered alike."""

import numpy as np
import pytest

from foveal.core.errors import UsageError
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.metrics.clustered_difference import clustered_difference
from foveal.metrics.clustered_share import clustered_share
from foveal.metrics.independent_number import independent_number
from foveal.metrics.paired_difference import paired_difference


def drawn(seed, *, units, largest):
    """Return units of 1 to `largest` pictures, and for each picture the unit's number."""
    rng = np.random.default_rng(seed)
    return rng, np.repeat(np.arange(units), rng.integers(1, largest + 1, units))


def test_pictures_that_stand_alone_are_counted_as_always():
    rng = np.random.default_rng(0)
    first, second = rng.random(80) < 0.9, rng.random(80) < 0.8
    n = independent_number(np.arange(80), 80)

    assert n == independent_number(None, 80) == 80
    assert clustered_share(first, n) == clopper_pearson(int(first.sum()), 80)
    plain = paired_difference(int((first & ~second).sum()), int((second & ~first).sum()), 80)
    found = clustered_difference(first, second, n)
    assert (found.value, found.low, found.high) == pytest.approx((plain.value, plain.low, plain.high))


@pytest.mark.parametrize("size", [1, 3, 7])
def test_copies_say_no_more_than_one(size):
    """Every picture `size` times is the same as once."""
    rng = np.random.default_rng(1)
    first, second = rng.random(40) < 0.9, rng.random(40) < 0.7
    once = clustered_difference(first, second, 40.0)
    n = independent_number(np.repeat(np.arange(40), size), 40 * size)

    found = clustered_difference(np.repeat(first, size), np.repeat(second, size), n)

    assert n == pytest.approx(40)
    assert (found.value, found.low, found.high) == pytest.approx((once.value, once.low, once.high))


@pytest.mark.parametrize("seed", range(20))
def test_units_are_between_one_picture_and_all(seed):
    rng, units = drawn(seed, units=30, largest=1 + seed)

    n = independent_number(rng.permutation(units), len(units))

    assert 1 <= n <= len(np.unique(units)) + 1e-9
    assert independent_number(np.zeros(9, np.int64), 9) == pytest.approx(1)


def test_intervals_cover_the_truth_where_a_unit_is_answered_alike():
    share = difference = alone = 0
    for seed in range(400):
        rng, units = drawn(seed, units=60, largest=6)
        n, chance = independent_number(units, len(units)), rng.random((60, 2))
        first, second = chance[units, 0] < 0.9, chance[units, 1] < 0.8
        found = clustered_share(first, n)
        share += found.low <= 0.9 <= found.high
        naive = clopper_pearson(int(first.sum()), len(first))
        alone += naive.low <= 0.9 <= naive.high
        lost = clustered_difference(first, second, n)
        difference += lost.low <= 0.1 <= lost.high

    assert share >= 380 - 9
    assert difference >= 380 - 13  # Tango's interval holds on average over shares
    assert alone < 340, "pictures that belong together taken for independent ones"


def test_no_picture_is_refused():
    with pytest.raises(UsageError):
        independent_number(None, 0)
