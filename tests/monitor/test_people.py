"""monitor.people: better, worse or not shown, and how seldom the last is missed."""

import numpy as np
import pytest
from scipy import stats

from foveal.core.errors import UsageError
from foveal.monitor.people import compared


@pytest.mark.parametrize(
    ("events", "n", "people", "verdict"),
    [
        (0, 300, None, "better"),
        (0, 300, 300, "better"),
        (0, 30, None, "not shown"),
        (40, 300, None, "worse"),
        (40, 300, 300, "worse"),
        (0, 300, 20, "not shown"),
        (15, 300, None, "not shown"),
    ],
)
def test_a_verdict_takes_enough_parts_on_both_sides(events, n, people, verdict) -> None:
    found = compared(events, n, rate=0.05, people=people)

    assert found.verdict == verdict
    assert (found.p_value <= 0.05) is (verdict != "not shown")
    told = found.as_json()
    assert told["machine"]["value"] == events / n
    assert told["people"] == 0.05 if people is None else told["people"]["n"] == people


@pytest.mark.parametrize("events", [0, 3, 9, 30])
def test_against_a_known_rate_it_is_the_binomial_test(events) -> None:
    tails = [stats.binomtest(events, 120, 0.08, alternative=side).pvalue for side in ("less", "greater")]

    assert compared(events, 120, rate=0.08).p_value == pytest.approx(min(1, 2 * min(tails)))


def test_who_is_as_good_as_people_is_rarely_called_otherwise() -> None:
    rng = np.random.default_rng(0)
    told = [compared(int(rng.binomial(200, 0.05)), 200, rate=0.05).verdict for _ in range(1000)]

    assert sum(one != "not shown" for one in told) <= 60


@pytest.mark.parametrize(("rate", "people"), [(1.5, None), (-0.1, 5), (0.5, 0)])
def test_what_is_no_rate_is_refused(rate, people) -> None:
    with pytest.raises(UsageError):
        compared(1, 10, rate=rate, people=people)
