"""calibrate.fit: parts that do not overlap, and promises that hold from end to end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.calibrate import sets
from foveal.calibrate.abstain import abstain, candidates
from foveal.calibrate.fit import Promises, fit_decision, split_roles, unproven
from foveal.calibrate.sets.lac import lac
from foveal.calibrate.sets.raps import penalty_for, raps
from foveal.calibrate.temperature import calibrated, temperature
from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.core.promises import calibration_images_needed, images_needed
from foveal.tasks.classify.decode import prediction_sets


def drawn(n, *, seed=0, classes=5):
    """Return logits of a network that is too sure, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    scores = rng.normal(size=(n, classes)) + 3 * np.eye(classes)[labels]
    return (4 * scores).astype(np.float32), labels


@given(n=st.integers(2, 200), classes=st.integers(1, 10), seed=st.integers(0, 1000))
def test_a_third_tunes_two_thirds_prove_and_nobody_does_both(n, classes, seed):
    labels = np.random.default_rng(seed).integers(classes, size=n)

    tuning, proving = split_roles(labels, seed=seed)

    assert sorted([*tuning, *proving]) == list(range(n))
    assert len(tuning) >= 1
    assert len(proving) >= 1
    assert abs(len(tuning) - n / 3) <= 1
    for k in range(classes):
        assert abs((labels[tuning] == k).sum() - (labels == k).sum() / 3) <= 1


@given(seed=st.integers(0, 1000), risk=st.floats(0.005, 0.3))
def test_the_number_of_images_that_is_asked_for_leaves_enough_to_prove(seed, risk):
    asked, needed = calibration_images_needed(risk, 0.05), images_needed(risk, 0.05)

    assert len(split_roles(np.zeros(asked, dtype=int), seed=seed)[1]) >= needed
    assert len(split_roles(np.zeros(asked - 2, dtype=int), seed=seed)[1]) < needed


def test_every_image_tunes_in_a_third_of_the_seeds():
    labels = np.array([0, 0, 0, 0, 1, 2, 2])

    chosen = [np.isin(np.arange(7), split_roles(labels, seed=seed)[0]) for seed in range(3000)]

    assert np.mean(chosen, axis=0) == pytest.approx(np.full(7, 1 / 3), abs=0.04)


@given(n=st.integers(2, 120), groups=st.integers(2, 60), seed=st.integers(0, 1000))
def test_images_that_belong_together_all_tune_or_one_of_them_proves(n, groups, seed):
    rng = np.random.default_rng(seed)
    labels, units = rng.integers(3, size=n), rng.integers(groups, size=n)

    tuning, proving = split_roles(labels, units, seed=seed)

    assert len(set(units[proving])) == len(proving)
    assert set(tuning) == set(np.flatnonzero(np.isin(units, units[tuning])))
    assert set(units[tuning]) ^ set(units[proving]) == set(units)
    assert abs(len(set(units[tuning])) - len(set(units)) / 3) <= 1


def test_images_that_stand_alone_are_divided_as_without_units():
    labels = np.arange(50) % 3

    for known, told in zip(
        split_roles(labels, seed=1), split_roles(labels, np.arange(50), seed=1), strict=True
    ):
        assert (known == told).all()


def test_frames_of_few_objects_prove_no_more_than_the_objects():
    labels = np.repeat(np.arange(40) % 2, 30)  # 40 objects, 30 frames each, every answer right
    logits = 9 * np.eye(2, dtype=np.float32)[labels]

    _, alone = fit_decision(logits, labels)
    _, together = fit_decision(logits, labels, units=np.repeat(np.arange(40), 30))

    assert alone.abstain.threshold is not None
    assert (together.abstain.threshold, together.abstain.n) == (None, 27)
    assert together.conformal.n in (26, 27)


def test_equal_seeds_divide_equally():
    labels = np.arange(100) % 7

    assert (split_roles(labels, seed=1)[0] == split_roles(labels, seed=1)[0]).all()
    assert set(split_roles(labels, seed=1)[0]) != set(split_roles(labels, seed=2)[0])


def test_each_part_of_the_decision_is_fitted_on_its_own_images():
    logits, labels = drawn(900)
    tuning, proving = split_roles(labels, seed=3)
    limits = {"risk": 0.05, "delta": 0.05}

    fitted, decision = fit_decision(logits, labels, promises=Promises(0.1, **limits), seed=3)

    assert fitted == temperature(logits[tuning], labels[tuning])
    probabilities = calibrated(logits, fitted)
    assert decision.conformal == lac(probabilities[proving], labels[proving])
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    thresholds = candidates(confidence[tuning], correct[tuning], images=len(proving), **limits)
    assert decision.abstain == abstain(confidence[proving], correct[proving], thresholds=thresholds, **limits)
    assert decision.abstain.threshold, "neither nothing nor everything is answered"
    assert decision.conformal.n == decision.abstain.n == len(proving)


def test_labels_of_tuning_images_reach_the_proof_only_through_temperature_and_thresholds():
    logits, labels = drawn(900)
    tuning, _ = split_roles(labels, seed=0)
    poisoned = labels.copy()
    poisoned[tuning] = np.roll(labels[tuning], 1)
    promises = Promises(risk=0.3)

    fitted, decision = fit_decision(logits, poisoned, promises=promises)

    assert fitted > fit_decision(logits, labels, promises=promises)[0]
    _, proving = split_roles(poisoned, seed=0)
    hotter = calibrated(logits, fitted)
    assert decision.conformal == lac(hotter[proving], poisoned[proving])


def test_both_promises_hold_on_new_images():
    covered, risks = [], []
    for seed in range(60):
        logits, labels = drawn(2200, seed=seed)
        fitted, decision = fit_decision(
            logits[:1200], labels[:1200], promises=Promises(0.1, 0.05, 0.1), seed=seed
        )
        new, truth = calibrated(logits[1200:], fitted), labels[1200:]
        covered.append(prediction_sets(new, decision.conformal)[np.arange(1000), truth].mean())
        answered = new.max(axis=1) >= decision.abstain.threshold
        risks.append((new.argmax(axis=1) != truth)[answered].mean())

    assert np.mean(covered) >= 0.9 - 0.005
    assert np.mean(np.array(risks) > 0.05) <= 0.2, "0.1 by promise, and the noise of 1,000 test images"


@pytest.mark.parametrize("n", [1, 2, 3])
def test_almost_no_images_give_a_decision_that_promises_nothing(n):
    fitted, decision = fit_decision(*drawn(n))

    assert 0.05 <= fitted <= 20
    assert decision.conformal.quantile is None
    assert (decision.abstain.threshold, decision.abstain.needed) == (None, 299)


def test_no_images_are_refused():
    with pytest.raises(UsageError, match="logits need at least 1 image"):
        fit_decision(*drawn(0))


@pytest.mark.parametrize("name", catalog.names(sets))
@pytest.mark.parametrize("delta", [None, 0.1])
def test_the_way_of_the_sets_can_be_chosen_and_is_promised_again(name, delta):
    logits, labels = drawn(900)
    promises = Promises(alpha=0.15, risk=0.02, delta=0.1, sets=name, sets_delta=delta)

    _, decision = fit_decision(logits, labels, promises=promises)

    assert decision.conformal.method == name
    assert Promises.of(decision) == promises
    assert fit_decision(logits, labels, promises=Promises.of(decision))[1] == decision
    assert Promises.of(unproven(promises, classes=5)).sets == name
    none = unproven(promises, classes=5).conformal
    assert prediction_sets(np.eye(5, dtype=np.float32), none).all()


def test_the_penalty_of_raps_is_chosen_on_the_tuning_images():
    logits, labels = drawn(900, classes=20)
    tuning, proving = split_roles(labels, seed=3)

    fitted, decision = fit_decision(logits, labels, promises=Promises(sets="raps"), seed=3)

    probabilities = calibrated(logits, fitted)
    chosen = penalty_for(probabilities[tuning], labels[tuning])
    assert decision.conformal == raps(probabilities[proving], labels[proving], penalty=chosen)
