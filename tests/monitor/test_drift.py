"""monitor.drift: no more false alarms than promised, however long; what has changed is found."""

import bisect
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.core.errors import UsageError
from foveal.metrics.binomial_cdf import binomial_cdf
from foveal.monitor.drift import Drift
from foveal.monitor.ranks import Ranks
from foveal.tasks.classify.reference import doubt, rounded

RUNS, LENGTH, KEPT = 1000, 300, 99


class Fixed(Drift):
    """The trap: scores are ranked among those of the calibration alone."""

    def see(self, score):
        above, equal = self._bag.above_and_equal(score)
        p = (above + self._part() * (equal + 1)) / (self._bag.total + 1)
        self.seen += 1
        self._bet(p)
        return p


def exchangeable(rng, n):
    """Return doubts as a good classifier has them: most near 0, many equal, some large."""
    return np.where(rng.random(n) < 0.3, 1e-5, rng.beta(0.3, 3, n))


def ran(kind, calibration, scores, **options):
    drift = kind(tuple(calibration), **options)
    for score in scores:
        drift.see(float(score))
    return drift


def false_alarms(kind, length=LENGTH):
    found = 0
    for seed in range(RUNS):
        scores = exchangeable(np.random.default_rng(seed), KEPT + length)
        found += ran(kind, scores[:KEPT], scores[KEPT:], seed=seed).alarm is not None
    return found


def test_in_a_thousand_runs_without_change_there_are_no_more_alarms_than_one_in_a_hundred():
    alarms = false_alarms(Drift)

    assert 1 - binomial_cdf(alarms - 1, RUNS, 0.01) > 1e-3, f"{alarms} of {RUNS}"


def test_ranked_among_the_calibration_alone_the_same_runs_raise_too_many():
    alarms = false_alarms(Fixed)

    assert binomial_cdf(RUNS - alarms, RUNS, 0.99) < 1e-6, f"only {alarms} of {RUNS}"


def test_p_values_are_uniform_and_independent_also_where_scores_are_equal():
    drift, rng = Drift(tuple(rounded(x) for x in exchangeable(np.random.default_rng(0), 199))), None
    rng = np.random.default_rng(1)
    p = np.array([drift.see(float(score)) for score in exchangeable(rng, 20_000)])

    assert 0 < p.min() <= p.max() <= 1
    tenths = np.histogram(p, 10, (0, 1))[0] / len(p)
    np.testing.assert_allclose(tenths, 0.1, atol=0.012)
    assert abs(np.corrcoef(p[:-1], p[1:])[0, 1]) < 0.03


def test_p_values_are_those_of_crepes():
    crepes = pytest.importorskip("crepes")
    scores = [rounded(float(x)) for x in np.random.default_rng(3).beta(0.3, 3, 300)]
    drift = Drift(tuple(scores[:199]))
    drift._part = lambda: 1.0

    for number in range(199, 300):
        found = drift.see(scores[number])
        expected = crepes.base.p_values_batch(
            np.array(scores[:number]), np.array([scores[number]]), smoothing=False
        )
        assert found == pytest.approx(float(np.ravel(expected)[0]))


@pytest.mark.parametrize("before", [0, 1000])
@pytest.mark.parametrize("change", ["doubtful", "too sure"])
def test_what_changes_is_found_within_a_few_hundred_pictures_early_and_late(before, change):
    needed = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        start = rng.beta(1, 5, 199 + before)
        after = rng.beta(2, 4, 400) if change == "doubtful" else rng.beta(0.5, 8, 400)
        drift = ran(Drift, start[:199], [*start[199:], *after], seed=seed)
        needed.append(400 if drift.alarm is None else drift.alarm - before)

    assert min(needed) > 0, "not before it happened"
    assert np.quantile(needed, 0.9) < 250


def test_the_wealth_is_a_fair_game():
    """Averaged over p-values that are uniform, the next wealth is the present one."""
    drift = ran(Drift, (), np.random.default_rng(0).random(30))
    grid = (np.arange(20_000) + 0.5) / 20_000
    before, bets, seen = drift.wealth, list(drift._bets), drift.seen
    after = []
    for p in grid:
        drift._bets, drift.seen = list(bets), seen + 1
        drift._bet(float(p))
        after.append(drift.wealth)

    assert np.mean(after) == pytest.approx(before, rel=0.02)
    assert np.mean(after) <= before * 1.0001


@given(
    scores=st.lists(
        st.one_of(st.floats(-1e15, 1e15), st.floats(0, 1e-3), st.sampled_from([0.0, 1e-5, 0.5])), max_size=60
    ),
    asked=st.floats(-1e15, 1e15),
)
def test_ranks_are_those_of_a_sorted_list(scores, asked):
    ranks = Ranks()
    for score in scores:
        ranks.add(score)

    kept = sorted(max(-9.99e11, min(rounded(x), 9.99e11)) for x in scores)
    for score in [*scores, asked]:
        value = max(-9.99e11, min(rounded(score), 9.99e11))
        above = len(kept) - bisect.bisect_right(kept, value)
        equal = bisect.bisect_right(kept, value) - bisect.bisect_left(kept, value)
        assert ranks.above_and_equal(score) == (above, equal)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_rounding_keeps_the_order(confidences):
    rising = sorted(confidences)

    found = [doubt(confidence) for confidence in rising]
    assert found == sorted(found, reverse=True)
    assert all(value == rounded(value) >= 1e-5 for value in found)


def test_written_down_and_read_again_it_goes_on_as_if_nothing_had_been():
    scores = exchangeable(np.random.default_rng(5), 2600)
    whole = ran(Drift, scores[:199], scores[199:], seed=7)

    half = ran(Drift, scores[:199], scores[199:1400], seed=7)
    again = Drift.from_json(json.loads(json.dumps(half.to_json())))
    for score in scores[1400:]:
        again.see(float(score))

    assert again.to_json() == whole.to_json()
    assert again.summary() == whole.summary()


def test_its_memory_does_not_grow_with_the_pictures():
    drift = ran(Drift, (), np.random.default_rng(0).random(5000))
    early = len(json.dumps(drift.to_json()))
    for score in np.random.default_rng(1).random(20_000):
        drift.see(float(score))

    assert len(json.dumps(drift.to_json())) < 1.6 * early


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(score):
    with pytest.raises(UsageError, match="finite"):
        Drift(()).see(score)


@pytest.mark.parametrize("broken", [{}, {"bag": [[0.1, "x"]]}, {"bets": [1.0]}, {"bag": None}])
def test_another_description_is_refused(broken):
    good = Drift((0.1,)).to_json()

    with pytest.raises(UsageError, match="no state of a monitor"):
        Drift.from_json({**good, **broken} if broken else {})
