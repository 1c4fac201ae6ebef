"""calibrate.abstain: the promise holds over repetitions, where it is hardest too; a naive one does not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.calibrate.abstain import abstain, candidates
from foveal.core.errors import UsageError

RISK, DELTA = 0.1, 0.1
REPETITIONS = 1000


def improving(confidence):
    """Return the probability of being right: confidence is informative, and too high."""
    return 0.55 + 0.44 * confidence**0.5


def just_above(confidence):
    """Confidence says nothing and the risk is a little above the limit everywhere: the hardest case."""
    return np.full_like(confidence, 1 - RISK - 1e-6)


def deceptive(confidence):
    """The surest answers are the worst: no order of risk may be taken for granted."""
    return np.where(confidence > 0.9, 0.7, 0.97)


def true_risk(threshold, chance):
    grid = (np.arange(20_000) + 0.5) / 20_000
    return float(1 - chance(grid[grid >= threshold]).mean())


def naive(confidence, correct):
    """Return the loosest threshold whose observed risk is within the limit: what most tools do."""
    order = np.argsort(-confidence)
    risk = np.cumsum(~correct[order]) / np.arange(1, len(order) + 1)
    within = np.flatnonzero(risk <= RISK)
    return float(confidence[order][within[-1]]) if len(within) else None


def draw(n, chance, rng):
    confidence = rng.random(n)
    return confidence, rng.random(n) < chance(confidence)


def proven(chance, rng, *, tuning=100, images=200):
    thresholds = candidates(*draw(tuning, chance, rng), images=images, risk=RISK, delta=DELTA)
    return abstain(*draw(images, chance, rng), thresholds=thresholds, risk=RISK, delta=DELTA).threshold


@pytest.mark.parametrize("chance", [improving, just_above, deceptive])
def test_the_promise_is_broken_no_more_often_than_allowed(chance):
    rng = np.random.default_rng(0)

    broken = [
        (threshold := proven(chance, rng)) is not None and true_risk(threshold, chance) > RISK
        for _ in range(REPETITIONS)
    ]

    assert np.mean(broken) <= DELTA + 3 * (DELTA * (1 - DELTA) / REPETITIONS) ** 0.5


def test_the_threshold_that_looks_good_breaks_it():
    rng = np.random.default_rng(0)

    broken = [
        (threshold := naive(*draw(200, improving, rng))) is not None
        and true_risk(threshold, improving) > RISK
        for _ in range(REPETITIONS)
    ]

    assert np.mean(broken) > 2 * DELTA, "the control: this test notices the usual mistake"


def test_with_enough_images_most_of_what_is_possible_is_answered():
    rng = np.random.default_rng(0)
    possible = next(1 - t for t in np.arange(0, 1, 0.001) if true_risk(t, improving) <= RISK)

    answered = [1 - (proven(improving, rng, tuning=1000, images=2000) or 1.0) for _ in range(100)]

    assert np.mean(answered) > 0.8 * possible


def test_a_floor_of_unavoidable_errors_does_not_end_the_sequence_early():
    rng = np.random.default_rng(0)

    def chance(confidence):
        return np.where(confidence > 0.2, 0.997, 0.5)

    covered = []
    for _ in range(100):
        thresholds = candidates(*draw(2500, chance, rng), images=5000)
        threshold = abstain(*draw(5000, chance, rng), thresholds=thresholds).threshold
        covered.append(0.0 if threshold is None else 1 - threshold)

    assert np.median(covered) > 0.75, "0.8 would be possible"


def test_299_answers_without_an_error_prove_one_percent_and_298_do_not():
    everything = np.array([0.0])

    enough = abstain(np.full(299, 0.9), np.ones(299, bool), thresholds=everything)
    short = abstain(np.full(298, 0.9), np.ones(298, bool), thresholds=everything)

    assert (enough.threshold, enough.needed, enough.n) == (0.0, None, 299)
    assert (short.threshold, short.needed, short.n) == (None, 299, 298)


def test_images_of_equal_confidence_are_accepted_together():
    confidence = np.array([0.9] * 30 + [0.8] * 30)
    correct = np.array([True] * 30 + [False] * 30)

    found = abstain(confidence, correct, thresholds=np.array([0.9, 0.85, 0.8, 0.0]), risk=RISK, delta=DELTA)

    assert found.threshold == 0.85


def test_the_first_threshold_that_fails_ends_the_sequence():
    confidence = np.array([0.9] * 30 + [0.5] * 300)
    correct = np.array([False] * 30 + [True] * 300)

    found = abstain(confidence, correct, thresholds=np.array([0.8, 0.0]), risk=0.2, delta=DELTA)

    assert found.threshold is None, "although answering everything would pass"


def test_no_calibration_image_proves_nothing():
    found = abstain(np.zeros(0), np.zeros(0, bool), thresholds=np.array([0.5, 0.0]))

    assert (found.threshold, found.n, found.needed) == (None, 0, 299)


@given(seed=st.integers(0, 500), n=st.integers(1, 300), images=st.integers(0, 2000))
def test_candidates_fall_from_strict_to_everything_and_lie_between_confidences(seed, n, images):
    rng = np.random.default_rng(seed)
    confidence = rng.integers(50, 100, size=n) / 100

    thresholds = candidates(confidence, rng.random(n) < 0.9, images=images, risk=RISK, delta=DELTA)

    assert thresholds[-1] == 0
    assert 1 <= len(thresholds) <= 100
    assert (np.diff(thresholds) < 0).all()
    assert not set(thresholds) & set(confidence)


def test_without_a_clear_pass_the_sequence_starts_where_an_answer_without_errors_could():
    rng = np.random.default_rng(0)
    confidence = rng.random(50)

    thresholds = candidates(confidence, np.ones(50, bool), images=500)

    answered = (confidence >= thresholds[0]).mean() * 500
    assert 299 + 2 * 299**0.5 <= answered <= 299 + 2 * 299**0.5 + 10


OK = np.full(5, 0.5), np.ones(5, bool)


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ((np.full(5, 0.5), np.ones(4, bool)), r"got float64 \(5,\) and bool \(4,\)"),
        ((np.full(5, 0.5), np.ones(5)), r"and float64 \(5,\)"),
        ((np.full((5, 1), 0.5), np.ones((5, 1), bool)), r"got float64 \(5, 1\)"),
        ((np.full(5, np.nan), np.ones(5, bool)), r"confidence must be in \[0, 1\]"),
        ((np.full(5, 1.5), np.ones(5, bool)), r"confidence must be in \[0, 1\]"),
    ],
)
def test_wrong_arrays_are_refused(arrays, text):
    with pytest.raises(UsageError, match=text):
        abstain(*arrays, thresholds=np.array([0.0]))
    with pytest.raises(UsageError, match=text):
        candidates(*arrays, images=10)


@pytest.mark.parametrize("limits", [{"risk": 0.0}, {"risk": 1.0}, {"delta": 0.0}, {"delta": 2.0}])
def test_limits_that_are_no_shares_are_refused(limits):
    with pytest.raises(UsageError, match=r"risk and delta are shares in \(0, 1\)"):
        abstain(*OK, thresholds=np.array([0.0]), **limits)


@pytest.mark.parametrize("thresholds", [np.array([0.1, 0.2]), np.array([0.2, 0.2]), np.zeros((1, 1))])
def test_thresholds_that_do_not_fall_are_refused(thresholds):
    with pytest.raises(UsageError, match="must fall strictly"):
        abstain(*OK, thresholds=thresholds)


def test_candidates_need_a_tuning_image():
    with pytest.raises(UsageError, match="at least one tuning image"):
        candidates(np.zeros(0), np.zeros(0, bool), images=10)
