"""What is said from the answers alone: accuracy, confidence, declining, sets, slices, sharing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foveal.bundle.predictor import Predictor
from foveal.certify.claim import Claim
from foveal.certify.measurements.abstention import abstention
from foveal.certify.measurements.accuracy import accuracy
from foveal.certify.measurements.calibration import _ERROR, calibration, error_of
from foveal.certify.measurements.fidelity import fidelity
from foveal.certify.measurements.sets import sets
from foveal.certify.measurements.sharing import sharing
from foveal.certify.measurements.slices import slices
from foveal.certify.statement import Statement
from foveal.certify.subject import Answered, Overlap, Subject
from foveal.certify.verdicts import judge

Make = Callable[..., Subject]


def stated(statements: tuple[Statement, ...]) -> dict[str, Statement]:
    return {one.claim.key: one for one in statements}


def verdict(statement: Statement, limit: float) -> str:
    [judged] = judge([statement], {statement.claim.key: limit})
    return judged.verdict


def test_accuracy_counts_what_the_file_names_rightly(subject: Make) -> None:
    one = subject()
    found = stated(accuracy.measure(one).statements)

    assert found["accuracy"].value.value == one.test.right.mean() > 0.8
    assert found["worst_class"].value.value <= found["balanced_accuracy"].value.value


def test_classes_without_a_picture_are_said(
    subject: Make, answered: Callable[..., Answered], bundle: Path
) -> None:
    predictor = Predictor.open(bundle, threads=1)
    section = accuracy.measure(subject(test=answered(predictor, 60, labels=np.zeros(60, np.int64))))

    assert any("2 of 3 classes have no picture" in sentence for sentence in section.says)


def test_labels_drawn_by_chance_miss_every_limit_on_accuracy(
    subject: Make, answered: Callable[..., Answered], bundle: Path
) -> None:
    chance = np.random.default_rng(5).integers(0, 3, 300)
    one = subject(test=answered(Predictor.open(bundle, threads=1), 300, labels=chance))
    found = stated(accuracy.measure(one).statements)

    assert verdict(found["accuracy"], 0.8) == "fail"
    assert verdict(found["worst_class"], 0.8) == "fail"
    assert verdict(stated(abstention.measure(one).statements)["selective_risk"], 0.01) == "fail"
    assert verdict(stated(sets.measure(one).statements)["set_coverage"], 0.9) == "fail"
    assert verdict(stated(calibration.measure(one).statements)["calibration_error"], 0.02) == "fail"


def confident(n: int, seed: int, sharpness: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities of 4 classes and labels drawn from them; `sharpness` distorts afterwards."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2.0, size=(n, 4))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(4, p=row) for row in true])
    told = np.exp(sharpness * logits)
    return (told / told.sum(axis=1, keepdims=True)).astype(np.float32), labels


def said(n: int, seed: int, sharpness: float = 1.0, limit: float = 0.03) -> str:
    return verdict(error_of(_ERROR, *confident(n, seed, sharpness), seed=0), limit)


def test_a_perfect_model_keeps_the_limit_on_calibration_in_nearly_all_draws() -> None:
    found = [said(5000, seed) for seed in range(20)]

    assert "fail" not in found
    assert found.count("pass") >= 14


def test_an_overconfident_model_does_not() -> None:
    assert said(2000, 0, sharpness=2.0) == "fail"


def test_of_models_that_miss_the_limit_just_so_few_pass() -> None:
    """Where noise and a true error do not add up, taking chance off would pass two of three of these."""
    rng = np.random.default_rng(3)
    passed = 0
    for _ in range(60):
        confidence = rng.uniform(0.5, 0.99, 1500)
        probabilities = np.stack([confidence, 1 - confidence], axis=1).astype(np.float32)
        wrong = rng.random(1500) >= confidence - 0.02
        passed += verdict(error_of(_ERROR, probabilities, wrong.astype(np.int64), seed=0), 0.02) == "pass"
    assert passed <= 8  # 5 % of 60, and the luck of 60


def test_the_interval_holds_the_true_error() -> None:
    rng = np.random.default_rng(4)
    confidence = rng.uniform(0.5, 0.99, 2000)
    probabilities = np.stack([confidence, 1 - confidence], axis=1).astype(np.float32)
    wrong = (rng.random(2000) >= confidence - 0.05).astype(np.int64)
    found = error_of(_ERROR, probabilities, wrong, seed=0).value

    assert found.low <= 0.05 <= found.high


def test_few_pictures_show_nothing(subject: Make, bundle: Path, answered: Callable[..., Answered]) -> None:
    one = subject(test=answered(Predictor.open(bundle, threads=1), 3))
    found = stated(accuracy.measure(one).statements) | stated(calibration.measure(one).statements)

    for key in ("accuracy", "worst_class", "balanced_accuracy", "nll", "brier"):
        limit = 0.9 if found[key].claim.side == "at_least" else 2.0
        assert verdict(found[key], limit) == "insufficient", key


def test_a_class_that_was_never_seen_keeps_no_limit(
    subject: Make, bundle: Path, answered: Callable[..., Answered]
) -> None:
    one = subject(test=answered(Predictor.open(bundle, threads=1), 300))
    red = np.flatnonzero(one.test.labels == 0)
    held_out = one.test.held_out.only(red)
    only = replace(
        one.test, held_out=held_out, probabilities=one.test.probabilities[red], logits=one.test.logits[red]
    )
    found = stated(accuracy.measure(replace(one, test=only)).statements)

    assert verdict(found["worst_class"], 0.1) == "insufficient"
    assert verdict(found["balanced_accuracy"], 0.1) == "insufficient"
    assert "green" in found["worst_class"].note


def test_of_a_rare_class_pictures_are_missing_and_not_of_the_worst() -> None:
    claim = Claim("worst", "worst of them", "estimate")
    found = judge([claim.worst({"common": (1800, 2000), "rare": (3, 3)})], {"worst": 0.8})[0]

    assert found.verdict == "insufficient"
    assert found.needed < 50


def test_without_a_proven_threshold_nothing_is_said_about_risk(
    subject: Make, make_bundle: Callable[..., Path], tmp_path: Path
) -> None:
    decision = {
        "abstain": {"threshold": None, "risk": 0.01, "delta": 0.05, "n": 50, "needed": 299},
        "conformal": {"alpha": 0.1, "quantile": None, "n": 5},
    }
    one = subject(bundle=make_bundle(tmp_path / "unsure.foveal", decision=decision))
    risk, answered, *_ = abstention.measure(one).statements
    covered = sets.measure(one).statements[0]

    assert risk.value is None
    assert "299 answers" in risk.note
    assert verdict(risk, 0.01) == verdict(answered, 0.9) == verdict(covered, 0.9) == "insufficient"


def test_sets_that_are_too_small_refute_their_promise(
    subject: Make, make_bundle: Callable[..., Path], tmp_path: Path, answered: Callable[..., Answered]
) -> None:
    path = make_bundle(
        tmp_path / "narrow.foveal",
        decision={
            "abstain": {"threshold": 0.6, "risk": 0.01, "delta": 0.05, "n": 500},
            "conformal": {"alpha": 0.01, "quantile": 0.2, "n": 500},
        },
    )
    wrong = np.arange(300) % 3
    wrong[:60] = (wrong[:60] + 1) % 3
    one = subject(bundle=path, test=answered(Predictor.open(path, threads=1), 300, labels=wrong))

    assert verdict(sets.measure(one).statements[0], 0.9) == "fail"


def test_a_planted_bad_slice_is_the_worst(
    subject: Make, bundle: Path, answered: Callable[..., Answered]
) -> None:
    truth = np.arange(300) % 3
    truth[200:] = (truth[200:] + 1) % 3
    light = {"bright": np.arange(200), "dim": np.arange(200, 300)}
    one = subject(
        test=answered(Predictor.open(bundle, threads=1), 300, labels=truth),
        slices={"lighting": light},
        not_there=("cat/typo.png",),
    )
    [worst] = slices.measure(one).statements

    assert worst.note.startswith("lighting dim")
    assert "names 1 picture that the data do not have: 'cat/typo.png'" in worst.note
    assert worst.value.high < 0.5
    assert [row["n"] for row in worst.details["slices"]] == [200, 100]


def test_without_a_table_no_slice_is_measured(subject: Make) -> None:
    [worst] = slices.measure(subject()).statements

    assert worst.value is None
    assert "--slices" in worst.note


@pytest.mark.parametrize(("count", "expected"), [(0, "pass"), (1, "fail")])
def test_one_shared_picture_is_one_too_many(subject: Make, count: int, expected: str) -> None:
    [shared] = sharing.measure(subject(overlap=Overlap(known=True, count=count, n=300))).statements

    assert verdict(shared, 0.0) == expected


def test_what_is_not_known_of_sharing_does_not_pass(subject: Make) -> None:
    [shared] = sharing.measure(subject(overlap=Overlap(known=False, count=0, n=300))).statements

    assert verdict(shared, 0.0) == "insufficient"


def test_without_a_network_agreement_with_it_is_left_out(subject: Make) -> None:
    twin, batch = fidelity.measure(subject()).statements

    assert twin.value is None
    assert verdict(twin, 0.99) == "not_asked"
    assert batch.value.value == 1.0
