"""Measurements on recognizers whose truth is known: honest ones pass, dishonest ones do not."""

from types import SimpleNamespace

import numpy as np
import pytest

from foveal.certify.measurements.abstention import abstention
from foveal.certify.measurements.accuracy import accuracy
from foveal.certify.measurements.calibration import calibration
from foveal.certify.measurements.sets import sets
from foveal.certify.measurements.slices import slices
from foveal.certify.verdicts import judge
from foveal.metrics.augrc import augrc
from foveal.metrics.aurc import aurc
from foveal.metrics.e_aurc import e_aurc
from foveal.tasks.classify.decode import Abstain, Conformal, Decision


def verdicts(measurement, subject, limits):
    return {
        one.statement.claim.key: one.verdict
        for one in judge(measurement.measure(subject).statements, limits)
        if one.limit is not None
    }


def error(subject):
    return verdicts(calibration, subject, {"calibration_error": 0.02})["calibration_error"]


@pytest.mark.parametrize("runs", [2, pytest.param(60, marks=pytest.mark.slow)])
def test_a_perfectly_calibrated_recognizer_passes(subject, simulate, runs):
    found = [error(subject(*simulate(seed, images=10_000))) for seed in range(runs)]

    assert found.count("pass") >= 0.95 * runs


@pytest.mark.parametrize("runs", [2, pytest.param(60, marks=pytest.mark.slow)])
def test_with_few_pictures_a_perfectly_calibrated_recognizer_is_undecided_and_never_fails(
    subject, simulate, runs
):
    found = [error(subject(*simulate(seed, images=500))) for seed in range(runs)]

    assert set(found) <= {"pass", "insufficient"}
    assert "insufficient" in found, "500 pictures cannot show an error below 2 %"


@pytest.mark.parametrize("runs", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_a_recognizer_whose_temperature_is_wrong_fails(subject, simulate, runs):
    found = [error(subject(*simulate(seed, images=4000, temperature=0.6))) for seed in range(runs)]

    assert found == ["fail"] * runs


def test_randomly_relabelled_pictures_lose(subject, simulate):
    probabilities, labels = simulate(0)
    shuffled = np.random.default_rng(1).permutation(labels)
    limits = {"accuracy": 0.5, "worst_class": 0.5}

    assert set(verdicts(accuracy, subject(probabilities, labels), limits).values()) == {"pass"}
    assert set(verdicts(accuracy, subject(probabilities, shuffled), limits).values()) == {"fail"}
    assert error(subject(probabilities, shuffled)) == "fail"


@pytest.mark.parametrize(("alpha", "said"), [(0.1, "pass"), (0.2, "fail")])
def test_a_promise_of_sets_holds_a_limit_only_if_it_promises_as_much(subject, simulate, alpha, said):
    """The quantile is that of such answers, so the promise is kept; what is demanded may be more."""
    probabilities, labels = simulate(0, images=20_000)
    score = np.sort(1 - probabilities[np.arange(len(labels)), labels])
    quantile = float(score[int(np.ceil((len(score) + 1) * (1 - alpha))) - 1])
    decision = Decision(
        abstain=Abstain(threshold=None, risk=0.01, delta=0.05, n=6, needed=299),
        conformal=Conformal(alpha=alpha, quantile=quantile, n=2000),
    )
    made = subject(*simulate(1))
    made.predictor.decision = decision

    found = verdicts(sets, made, {"set_coverage": 0.88})

    assert found["set_coverage"] == said
    assert verdicts(sets, made, {"set_coverage": 0.9})["set_coverage"] != "pass", "kept by half of them only"


def test_promises_that_the_pictures_refute_fail(subject, simulate):
    probabilities, labels = simulate(0, temperature=0.4)  # far too sure: 0.8 and more is often wrong
    decision = Decision(
        abstain=Abstain(threshold=0.8, risk=0.01, delta=0.05, n=2000),
        conformal=Conformal(alpha=0.1, quantile=0.2, n=2000),
    )
    made = subject(probabilities, labels)
    made.predictor.decision = decision

    assert verdicts(abstention, made, {"selective_risk": 0.01})["selective_risk"] == "fail"
    assert verdicts(sets, made, {"set_coverage": 0.9})["set_coverage"] == "fail"


def test_what_could_not_be_proven_is_not_measured_and_passes_nothing(subject, simulate):
    made = subject(*simulate(0))
    made.predictor.decision = Decision(
        abstain=Abstain(threshold=None, risk=0.01, delta=0.05, n=6, needed=299),
        conformal=Conformal(alpha=0.1, quantile=None, n=6),
    )

    told = abstention.measure(made).statements + sets.measure(made).statements
    told = tuple(one for one in told if one.claim.key not in ("aurc", "e_aurc", "augrc"))
    assert all(one.value is None for one in told)
    assert any("299" in one.note for one in told)
    asked = {one.claim.key: 0.5 for one in told}
    assert {one.verdict for one in judge(told, asked)} == {"insufficient"}


def test_the_worst_slice_is_found_and_its_interval_is_that_of_the_worst_of_all(subject, simulate):
    probabilities, labels = simulate(0)
    labels[:200] = (labels[:200] + 1) % 4  # here it is wrong more often than right
    places = {"dim": np.arange(200), "bright": np.arange(200, 2000)}
    made = subject(probabilities, labels, slices={"lighting": places})

    [found] = slices.measure(made).statements

    assert "lighting dim" in found.note
    assert found.value.value < 0.4
    assert [row["n"] for row in found.details["slices"]] == [200, 1800]
    assert verdicts(slices, made, {"worst_slice": 0.7}) == {"worst_slice": "fail"}
    assert verdicts(slices, subject(probabilities, labels), {"worst_slice": 0.7}) == {
        "worst_slice": "insufficient"
    }


class Rows(SimpleNamespace):
    """The face of `certify.subject.Answered` with logits."""

    def __len__(self):
        return len(self.labels)


def answers(probabilities, labels):
    return Rows(
        probabilities=probabilities, labels=labels, logits=np.log(probabilities.astype(np.float64)),
        held_out=SimpleNamespace(units=None), right=probabilities.argmax(axis=1) == labels,
    )  # fmt: skip


def test_areas_of_declining_are_told_whatever_was_promised(subject, simulate):
    probabilities, labels = simulate(0)
    told = {one.claim.key: one for one in abstention.measure(subject(probabilities, labels)).statements}

    for area in (aurc, e_aurc, augrc):
        found = told[area.__name__].value
        assert found.value == pytest.approx(area(probabilities, labels))
        assert found.low < found.value < found.high


def test_rules_of_sets_lie_in_their_bands_and_shuffled_labels_do_not(subject, simulate):
    proving = answers(*simulate(1, images=1500))
    honest = subject(*simulate(2, images=1500), proving=proving)
    probabilities, labels = simulate(2, images=1500)
    relabelled = subject(probabilities, np.random.default_rng(0).permutation(labels), proving=proving)

    rows = sets.measure(honest).figures["sets"]
    assert len(rows) == 5 * 3
    assert all(row["above_band_low"] for row in rows if row["band_low"] is not None)
    assert all(row["coverage"]["high"] >= row["promised"] for row in rows)
    [pac] = [row for row in rows if row["rule"] == "pac lac" and row["promised"] == 0.9]
    [lac] = [row for row in rows if row["rule"] == "lac" and row["promised"] == 0.9]
    assert pac["band_low"] > lac["band_low"]
    assert pac["mean_size"] >= lac["mean_size"]
    assert lac["band_low"] < 0.9 < lac["band_high"]
    refuted = sets.measure(relabelled).figures["sets"]
    assert not any(row["above_band_low"] for row in refuted if row["rule"] == "lac")


def test_without_pictures_that_prove_no_rule_of_sets_is_fitted(subject, simulate):
    assert sets.measure(subject(*simulate(0))).figures["sets"] == []


def test_a_calibration_that_would_gain_is_told(subject, simulate):
    """One class is told too rarely: no temperature helps, a bias for each class does."""
    probabilities, labels = simulate(1, images=1200)
    bent = probabilities * np.array([0.2, 1, 1, 1])
    tuning = answers((bent / bent.sum(axis=1, keepdims=True)).astype(np.float32), labels)
    rows = calibration.measure(subject(*simulate(0, images=500), tuning=tuning)).figures["other_calibrations"]

    found = {row["calibration"]: row for row in rows}
    assert found["vector"]["best"]
    assert found["vector"]["gained"]["low"] > 0
    assert found["temperature"]["gained"] is None
