"""metrics.episode_mean: the interval covers as often as it says, and never has no width."""

import numpy as np
import pytest

from foveal.core.errors import UsageError
from foveal.metrics.episode_mean import episode_mean


def test_it_is_the_mean_with_the_usual_interval():
    shares = np.random.default_rng(0).choice([0.6, 0.8, 1.0], 600)

    found = episode_mean(shares)

    half = 1.96 * shares.std(ddof=1) / np.sqrt(600)
    assert found.value == pytest.approx(shares.mean())
    assert (found.low, found.high) == pytest.approx((shares.mean() - half, shares.mean() + half), abs=1e-5)
    assert (found.n, found.method) == (600, "normal-over-episodes")


def test_it_covers_the_truth_in_about_95_of_100_repetitions():
    rng = np.random.default_rng(1)
    truth = rng.beta(8, 2, 200_000).mean()
    found = [episode_mean(rng.beta(8, 2, 200)) for _ in range(400)]

    assert sum(one.low <= truth <= one.high for one in found) / 400 == pytest.approx(0.95, abs=0.03)


def test_without_a_mistake_the_interval_still_has_a_width():
    perfect, hopeless = episode_mean(np.ones(600)), episode_mean(np.zeros(600))

    assert (perfect.value, perfect.high, perfect.method) == (1.0, 1.0, "clopper-pearson")
    assert perfect.low == pytest.approx(0.025 ** (1 / 600))
    assert hopeless.high == pytest.approx(1 - perfect.low)


@pytest.mark.parametrize("shares", [[], [0.5], [0.5, 1.1], [0.5, float("nan")], [[0.5, 0.5]]])
def test_nothing_is_said_of_what_are_no_shares(shares):
    with pytest.raises(UsageError):
        episode_mean(shares)
