"""calibrate.false_calls: what is promised of good parts holds, and nothing is promised of too few."""

import numpy as np
import pytest

from foveal.calibrate.false_calls import false_calls
from foveal.core.errors import UsageError


@pytest.mark.parametrize(("n", "rate"), [(19, 0.05), (50, 0.05), (99, 0.1), (200, 0.01)])
def test_a_new_good_part_is_called_as_seldom_as_promised(n: int, rate: float) -> None:
    rng = np.random.default_rng(n)
    tries, expected, above_bound = 1000, [], 0
    for _ in range(tries):
        found = false_calls(rng.random(n), rate=rate, delta=0.1)
        truth = 1 - found.threshold  # of uniform scores, the share above
        expected.append(truth)
        above_bound += truth > found.bound

    assert found.expected <= rate + 1e-12
    assert found.expected > rate - 1 / (n + 1) - 1e-12  # and the threshold is no higher than it has to be
    assert np.mean(expected) == pytest.approx(found.expected, abs=4 * np.std(expected) / tries**0.5)
    assert above_bound / tries < 0.1 + 3 * (0.09 / tries) ** 0.5


def test_too_few_good_parts_give_no_threshold_and_say_how_many_would() -> None:
    few = false_calls(np.arange(18.0), rate=0.05)

    assert (few.threshold, few.bound, few.needed) == (None, None, 19)
    assert false_calls(np.arange(19.0), rate=0.05).threshold == 18
    assert false_calls(np.empty(0)).needed == 19


def test_equal_scores_are_not_called() -> None:
    found = false_calls(np.ones(40))

    assert (found.threshold, found.above) == (1, 0)


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"rate": 1}, {"delta": 0}, {"scores": np.array([np.nan])}])
def test_what_is_no_share_is_refused(wrong) -> None:
    with pytest.raises(UsageError):
        false_calls(**{"scores": np.arange(40.0), **wrong})
