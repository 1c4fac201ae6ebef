"""metrics._resampled: numbers of the same pictures are drawn again together, so differences are paired."""

import numpy as np
import pytest

from foveal.core.errors import UsageError
from foveal.metrics._resampled import Resampled
from foveal.metrics.bootstrap import bootstrap

RNG = np.random.default_rng(0)
HARD = RNG.normal(size=60)  # what makes a picture hard, for whoever answers


def mean_of(values):
    return lambda times: (times @ values) / times.sum(axis=1)


def test_of_a_mean_it_is_the_bootstrap_of_the_mean() -> None:
    values = RNG.normal(size=50)

    found = Resampled.of(50, mean_of(values), draws=2000, seed=3).measured()
    known = bootstrap(values, draws=20_000, seed=4)

    assert found.value == pytest.approx(known.value)
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=0.03)
    assert found.n == 50


def test_a_difference_varies_less_than_either_and_that_from_itself_not_at_all() -> None:
    ours = Resampled.of(60, mean_of(HARD + RNG.normal(0, 0.1, 60)), seed=1)
    theirs = Resampled.of(60, mean_of(HARD + 0.2 + RNG.normal(0, 0.1, 60)), seed=1)

    apart = theirs.minus(ours)

    assert apart.value == pytest.approx(0.2, abs=0.05)
    assert apart.high - apart.low < 0.3 * (ours.measured().high - ours.measured().low)
    assert apart.low > 0.1
    none = ours.minus(ours)
    assert (none.value, none.low, none.high) == (0, 0, 0)
    assert ours.minus(theirs).value == -apart.value


def test_whole_units_are_drawn() -> None:
    units = np.repeat(np.arange(6), 10)
    alone = Resampled.of(60, mean_of(units.astype(float)), seed=1).measured()
    together = Resampled.of(60, mean_of(units.astype(float)), units=units, seed=1).measured()

    assert together.high - together.low > 1.5 * (alone.high - alone.low)
    assert (alone.method, together.method) == ("bootstrap-bca", "bootstrap-bca-clustered")


def test_whether_units_were_drawn_is_told_of_all_that_is_made_of_them() -> None:
    units = np.repeat(np.arange(6), 10)
    found = Resampled.of(60, mean_of(HARD + 9), units=units, draws=100, seed=1)
    again = Resampled.read(found.table, images=60, draws=100, clustered=True)

    several = (found.minus(found), found.over(again), Resampled.mean([found, again]).measured())
    assert {one.method for one in several} == {"bootstrap-bca-clustered"}


def test_what_is_written_down_is_read_again() -> None:
    found = Resampled.of(20, mean_of(np.arange(20.0)), draws=100, seed=1)

    again = Resampled.read(np.array(found.table.tolist()), images=20, draws=100)

    assert again.measured() == found.measured()
    assert again.minus(found).high == 0


def test_nothing_is_no_number() -> None:
    with pytest.raises(UsageError):
        Resampled.of(0, mean_of(np.zeros(0)))
    with pytest.raises(UsageError, match="not defined"):
        Resampled.of(3, lambda times: np.full(len(times), np.nan))
    with pytest.raises(UsageError):
        Resampled.of(3, mean_of(np.zeros(3)), units=np.zeros(2, np.int64))


def test_draws_in_which_a_number_is_not_defined_are_left_out() -> None:
    rare = np.array([1.0, *[np.nan] * 9])

    def share(times):
        there = times[:, 0] > 0
        return np.where(there, rare[0], np.nan)

    found = Resampled.of(10, share, seed=1)

    assert np.isnan(found.drawn).any()
    assert found.measured().value == 1
