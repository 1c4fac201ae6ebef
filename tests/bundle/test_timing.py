"""bundle.timing: what samples with known laws must be found to say."""

import math

import numpy as np
import pytest

from foveal.bundle import timing
from foveal.bundle.timing import Times
from foveal.core.errors import UsageError

ROUNDS, CALLS = 30, 9


def sample(center: float, *, seed: int, spread: float = 0.05, drift: np.ndarray | None = None) -> Times:
    """Return lognormal times around a center, the same slow-down of each round under both names."""
    rng = np.random.default_rng(seed)
    slow = np.ones((ROUNDS, 1)) if drift is None else drift[:, None]
    first, twin = (center * slow * rng.lognormal(0, spread, (ROUNDS, CALLS)) for _ in range(2))
    return Times(first, twin)


def test_the_median_is_found_and_the_99th_percentile_is_that_of_all_calls():
    times = sample(2e-3, seed=0)

    p50, p99 = times.p50(), times.p99()

    assert p50.low <= 2e-3 <= p50.high
    assert p50.n == ROUNDS, "calls of one round are not independent"
    assert p99.n == times.calls == 2 * ROUNDS * CALLS
    everything = np.concatenate([times.first, times.twin], axis=None)
    assert p99.value == pytest.approx(np.quantile(everything, 0.99))


def test_the_same_candidate_twice_is_no_real_difference_in_19_of_20_cases():
    covered, claimed = 0, 0
    for seed in range(300):
        noise = sample(1e-3, seed=seed).noise()
        covered += noise.low <= 0 <= noise.high
        claimed += timing.compare(sample(1e-3, seed=seed), sample(1e-3, seed=1000 + seed)).real

    assert covered >= 275  # 285 and more on average
    assert claimed == 0, "5 % by the interval alone, fewer above the floor of noise, none above 3 %"


def test_what_a_session_keeps_for_life_is_no_real_difference():
    """Each session of a file is 0.6 % off by where it lies in memory, in every round."""
    rng, claimed, above_both_floors = np.random.default_rng(0), 0, 0
    for seed in range(100):
        one, other = (sample(1e-3, seed=2 * seed + side, spread=0.003) for side in range(2))
        one, other = (
            Times(times.first * rng.lognormal(0, 0.006), times.twin * rng.lognormal(0, 0.006))
            for times in (one, other)
        )
        found = timing.compare(one, other)
        claimed += found.real
        above_both_floors += abs(found.ratio.value) > max(one.floor(), other.floor())

    assert claimed == 0
    assert above_both_floors > 10, "what the twins alone would let through"


@pytest.mark.parametrize(("longer", "real"), [(1.02, False), (1.05, True)])
def test_only_what_is_above_three_percent_is_claimed(longer, real):
    found = timing.compare(sample(longer * 1e-3, seed=1, spread=0.003), sample(1e-3, seed=2, spread=0.003))

    assert found.ratio.low > 0
    assert found.real is real


def test_a_difference_is_found_though_the_machine_slows_down_more_than_it_is_large():
    drift = 1 + 2 * np.random.default_rng(5).random(ROUNDS)
    slower, faster = sample(1.1e-3, seed=1, drift=drift), sample(1e-3, seed=2, drift=drift)

    found = timing.compare(slower, faster)

    assert found.real
    assert found.ratio.low <= math.log(1.1) <= found.ratio.high
    assert found.as_json()["value"] == pytest.approx(0.1, abs=0.03)
    assert slower.p50().high > 1.3 * slower.p50().low, "alone, neither time says it"


def test_what_is_below_the_noise_is_not_claimed_though_its_interval_excludes_0():
    faster = Times(
        np.full((ROUNDS, CALLS), 1e-3), np.full((ROUNDS, CALLS), 1.1e-3)
    )  # its twins differ by 10 %
    slower = Times(1.05 * faster.first, 1.05 * faster.twin)

    found = timing.compare(slower, faster)

    assert found.ratio.low > 0
    assert found.floor == pytest.approx(math.log(1.1))
    assert not found.real


def test_swapping_the_sides_turns_the_sign():
    one, other = sample(2e-3, seed=1), sample(1e-3, seed=2)

    assert timing.compare(one, other).ratio.value == pytest.approx(-timing.compare(other, one).ratio.value)


def test_of_equally_fast_ones_the_cheapest_is_taken_and_slower_ones_never():
    rows = {
        "4 threads": sample(1e-3, seed=1),
        "1 thread": sample(1.001e-3, seed=2),
        "slow": sample(2e-3, seed=3),
    }
    cost = {"4 threads": 4, "1 thread": 1, "slow": 0}

    found = timing.choose(list(rows), times=rows.__getitem__, cost=cost.__getitem__)

    assert found == ["1 thread", "4 threads"]


def test_a_warm_up_is_over_when_three_blocks_took_the_same():
    assert not timing.steady([])
    assert not timing.steady([1.0, 1.0])
    assert not timing.steady([1.0, 1.2, 1.0])
    assert timing.steady([9.0, 1.0, 1.04, 1.02])


@pytest.mark.parametrize("shape", [(5, 3), (30,), (0, 3)])
def test_too_few_rounds_are_refused(shape):
    with pytest.raises(UsageError, match="R ≥ 6"):
        Times(np.ones(shape), np.ones(shape))
