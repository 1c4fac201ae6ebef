"""monitor.band: a rate that has not changed raises no more alarms than promised, one that has is noticed."""

import json

import numpy as np
import pytest

from foveal.core.errors import UsageError
from foveal.metrics.binomial_cdf import binomial_cdf
from foveal.monitor.band import STRIDE, Band
from foveal.tasks.classify.reference import Rate

RUNS = 1000
look = Band._look


def ran(band, happened):
    for one in happened:
        band.see(bool(one))
    return band


def test_alarms_without_a_change_are_rarer_than_promised_over_long_runs():
    alarms = 0
    for seed in range(RUNS):
        rng = np.random.default_rng(seed)
        rate = rng.uniform(0.01, 0.5)
        expected = Rate(count=int(rng.binomial(300, rate)), n=300)
        alarms += ran(Band(expected, false_alarm=0.1), rng.random(1000) < rate).alarm is not None

    assert binomial_cdf(RUNS - alarms, RUNS, 0.9) > 1e-3, f"{alarms} of {RUNS}"


def test_with_the_same_threshold_at_every_look_they_are_not():
    """The trap: an interval for one look, and many looks; and a rate that is taken for the true one."""
    alarms = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        expected = Rate(count=int(rng.binomial(300, 0.2)), n=300)
        share, found = expected.count / expected.n, False
        happened = rng.random(2000) < 0.2
        for end in range(50, 2001, 50):
            window = happened[max(0, end - 200) : end]
            found |= binomial_cdf(len(window) - int(window.sum()), len(window), 1 - share) <= 0.05
        alarms += found

    assert alarms > 60


def alarms_of(rng, runs=400, looks=200):
    """Count the alarms of a rate that is all but known, n = 10⁶, and has not changed, at 200 looks each."""
    expected, alarms = Rate(count=200_000, n=10**6), 0
    for happened in rng.random((runs, looks * STRIDE)) < 0.2:
        band = Band(expected, false_alarm=0.05)
        for count in happened.reshape(looks, STRIDE).sum(axis=1):  # as `see` does, a stride at a time
            band.seen += STRIDE - 1
            band._strides[-1] += int(count) - 1
            band.see(True)
        alarms += band.alarm is not None
    return alarms


def test_where_the_rate_is_almost_certain_only_the_spending_keeps_the_promise():
    """Else the width of the interval hides what looking 200 times costs."""
    alarms = alarms_of(np.random.default_rng(0))

    assert binomial_cdf(400 - alarms, 400, 0.95) > 1e-3, f"{alarms} of 400"


def test_a_look_that_spends_all_breaks_it(monkeypatch):
    """What the test above would say of a band that forgot how often it looks."""
    monkeypatch.setattr(Band, "_look", without_spending)

    alarms = alarms_of(np.random.default_rng(0), runs=100)

    assert binomial_cdf(100 - alarms, 100, 0.95) < 1e-6, f"{alarms} of 100"


def without_spending(band):
    seen, band.seen = band.seen, STRIDE
    look(band)
    band.seen = seen


@pytest.mark.parametrize(("rate", "side"), [(0.45, "above"), (0.0, "below")])
def test_a_rate_that_changed_is_found_within_two_hundred_pictures(rate, side):
    rng = np.random.default_rng(0)
    band = ran(Band(Rate(count=60, n=300), false_alarm=0.01), rng.random(1000) < 0.2)
    assert band.alarm is None

    ran(band, rng.random(200) < rate)

    assert (band.side, band.alarm) == (side, pytest.approx(1100, abs=100))


def test_only_the_side_that_is_asked_for_raises_an_alarm():
    never = ran(Band(Rate(count=60, n=300), false_alarm=0.01, only="above"), [False] * 1000)
    always = ran(Band(Rate(count=60, n=300), false_alarm=0.01, only="above"), [True] * 1000)

    assert never.alarm is None
    assert (always.alarm, always.side) == (50, "above")


def test_choices_widen_the_interval_for_the_true_rate():
    plain = Band(Rate(count=60, n=300), false_alarm=0.01)
    chosen = Band(Rate(count=60, n=300), false_alarm=0.01, choices=100)

    assert chosen.low < plain.low < 0.2 < plain.high < chosen.high


@pytest.mark.parametrize("count", [0, 300])
def test_a_rate_of_none_or_all_is_no_certainty(count):
    band = Band(Rate(count=count, n=300), false_alarm=0.01)

    assert ran(band, [count > 0] * 500).alarm is None
    assert ran(Band(Rate(count=count, n=300), false_alarm=0.01), [count == 0] * 50).alarm == 50


def test_the_window_holds_the_last_pictures():
    band = Band(Rate(count=60, n=300), false_alarm=1e-9)
    assert band.window is None

    ran(band, [True] * 30)
    assert band.window == Rate(count=30, n=30)
    ran(band, [False] * 270)
    assert band.window == Rate(count=0, n=150)


def test_written_down_and_read_again_it_goes_on_as_if_nothing_had_been():
    happened = np.random.default_rng(0).random(3000) < np.linspace(0.2, 0.5, 3000)
    whole = ran(Band(Rate(count=60, n=300), false_alarm=0.01, choices=3), happened)

    half = ran(Band(Rate(count=60, n=300), false_alarm=0.01, choices=3), happened[:777])
    again = ran(Band.from_json(json.loads(json.dumps(half.to_json()))), happened[777:])

    assert whole.alarm is not None
    assert again.to_json() == whole.to_json()


def test_another_description_is_refused():
    with pytest.raises(UsageError, match="no state of a monitor"):
        Band.from_json({"expected": {"count": 3}})
