"""report.words: sentences that say no more than the numbers do."""

from collections.abc import Callable
from typing import Any

import pytest
from scipy import stats

from foveal.report import words

Document = dict[str, Any]
Maker = Callable[..., Document]


@pytest.fixture
def metrics(document: Document) -> dict[str, Any]:
    return document["metrics"]


def said(document: Document) -> str:
    return " ".join(words.unproven(document))


def interval(low: float, high: float) -> dict[str, Any]:
    return {"value": (low + high) / 2, "low": low, "high": high, "n": 100, "method": "clopper-pearson"}


@pytest.mark.parametrize(
    ("accuracy", "verdict"),
    [
        (interval(0.8, 0.9), "the recognizer is clearly better."),
        (interval(0.35, 0.5), "the intervals overlap, so it is not proven that the recognizer is better."),
        (interval(0.1, 0.2), "the recognizer is worse than that."),
    ],
)
def test_recognizer_is_compared_with_always_saying_the_same(
    document: Document, accuracy: dict[str, Any], verdict: str
) -> None:
    document["metrics"]["accuracy"] = accuracy
    document["metrics"]["majority"] = {"class": "bag", "accuracy": interval(0.3, 0.4)}

    sentence = words.against_majority(document)

    assert sentence.startswith(
        "Always answering “bag”, the most frequent class here, would be right for 35.0% (95%"
    )
    assert sentence.endswith(verdict)


def test_weak_points_name_the_worst_class_and_where_its_images_went(document: Document) -> None:
    worst, pair = document["metrics"]["worst_class"], document["confused_pairs"][0]

    first, second, *_ = words.weak_points(document)

    assert first.startswith(f"“{worst['class']}” was recognized least often: {worst['value']:.1%} of ")
    interval = f"95% interval {worst['low']:.1%} to {worst['high']:.1%}"
    assert first.endswith(f"; {interval} for the lowest of all classes.")
    assert second.startswith(f"{pair['count']} of ")
    assert second.endswith(f"images of “{pair['truth']}” were taken for “{pair['label']}”.")


def test_images_needed_for_one_point_would_give_one_point(make_document: Maker) -> None:
    document = make_document(images=400)
    accuracy = document["metrics"]["accuracy"]

    needed = int(said(document).split("±1 point needs about ")[1].split(".")[0].replace(",", ""))

    share = accuracy["value"]
    low, high = stats.binom.interval(0.95, needed, share)
    assert (high - low) / 2 / needed == pytest.approx(0.01, abs=0.0007)


def test_well_known_accuracy_needs_no_more_images(document: Document) -> None:
    assert "±" not in said(document)


def test_what_few_images_prove_is_the_exact_lower_bound(make_document: Maker) -> None:
    document = make_document(classes=("ok", "dent"), images=40)
    least = min(document["metrics"]["per_class"], key=lambda row: row["n"])

    bound = stats.beta.ppf(0.025, least["n"], 1)

    assert f"{least['n']} images of “{least['class']}”, all answered correctly" in said(document)
    assert f"would prove no more than {bound:.1%}; to prove 95% takes 72 images" in said(document)
    assert stats.beta.ppf(0.025, 72, 1) >= 0.95 > stats.beta.ppf(0.025, 71, 1)


def test_one_small_class_is_one_class(document: Document, metrics: dict[str, Any]) -> None:
    metrics["per_class"][0]["n"] = 7

    assert "1 class has fewer than 30 test images: “bag”." in said(document)


def test_absent_classes_are_listed_up_to_five(document: Document) -> None:
    document["absent_classes"] = [f"c{k}" for k in range(9)]

    assert "Nothing is known about “c0”, “c1”, “c2”, “c3”, “c4” and 4 more: no test images." in said(document)


def test_what_could_not_be_fitted_says_how_many_images_it_takes(unproven: Document) -> None:
    text = said(unproven)

    assert (
        "No confidence guarantees at most 1% errors; it would take about 449 independent calibration images"
        in text
    )
    assert "of which the 299 that prove are answered without an error" in text
    assert (
        "sets that hold the true class for 90% of the images need at least 14 independent calibration images"
        in text
    )


def test_threshold_that_no_number_of_images_gives_promises_none(unproven: Document) -> None:
    unproven["metrics"]["coverage_at_risk"]["needed"] = None

    assert "No confidence guarantees at most 1% errors." in said(unproven)


def test_limits_of_the_data_are_always_said(document: Document) -> None:
    assert words.unproven(document) == [
        "All of it holds for images that come about as these did, with the classes in these proportions. "
        "Another camera, light, place or supplier has not been tested."
    ]


@pytest.mark.parametrize(
    ("error", "verdict"),
    [(0.005, "so no miscalibration can be seen."), (0.2, "so the confidences are off by more than chance.")],
)
def test_calibration_error_is_held_against_chance(document: Document, error: float, verdict: str) -> None:
    document["metrics"] |= {"ece": error, "ece_null_p95": 0.01}

    sentence = words.calibration(document)

    assert f"differ by {error:.1%} on average" in sentence
    assert "n=5,000" in sentence
    assert sentence.endswith(verdict)


def test_abstention_says_what_is_promised_and_what_was_seen(
    document: Document, metrics: dict[str, Any]
) -> None:
    coverage = metrics["coverage_at_risk"]

    sentence = words.abstention(document)

    assert sentence.startswith(f"At a confidence of {coverage['threshold']:.4f} or more it answers")
    assert (
        "to err in at most 1% of those answers (from 5,000 calibration images, with a certainty of 95%)"
        in sentence
    )
    assert f"it erred in {coverage['observed_risk']['value']:.1%} (95% interval" in sentence


@pytest.mark.parametrize(("low", "broken"), [(0.0101, True), (0.01, False)])
def test_a_promise_that_these_images_refute_is_said_to_be_broken(
    document: Document, metrics: dict[str, Any], low: float, broken: bool
) -> None:
    metrics["coverage_at_risk"]["observed_risk"] = interval(low, 0.14)

    assert words.abstention(document).endswith("more than promised.") is broken
    assert (
        "That the promised share of errors holds on images like these: here it does not." in said(document)
    ) is broken
    document["provenance"]["independent_images"] = 4000
    assert not words.errs_too_often(document), "too narrow an interval refutes nothing"


@pytest.mark.parametrize(
    ("high", "images", "broken"), [(0.89, 5000, True), (0.895, 5000, False), (0.89, 99, False)]
)
def test_sets_that_miss_more_often_than_one_calibration_explains_are_said_to_be_broken(
    document: Document, metrics: dict[str, Any], high: float, images: int, broken: bool
) -> None:
    metrics["conformal"] |= {"coverage": interval(0.67, high), "calibration_images": images}

    assert ("less often than promised" in words.prediction_sets(document)) is broken
    assert (
        "That the promised coverage of the prediction sets holds on images like these: here" in said(document)
    ) is broken


@pytest.mark.parametrize(("independent", "told"), [(1000, True), (5000, False), (None, False)])
def test_images_that_belong_together_prove_less(
    document: Document, independent: int | None, told: bool
) -> None:
    document["provenance"]["independent_images"] = independent

    text = (
        "Some of the 5,000 test images belong together (one object, copies); counted once each they are 1,000"
    )
    assert (text in said(document)) is told


def test_abstention_without_threshold_or_without_answers(document: Document, unproven: Document) -> None:
    assert words.abstention(unproven).startswith("It always answers: no threshold")
    document["metrics"]["coverage_at_risk"]["observed_risk"] = None
    assert words.abstention(document).endswith("so the promise was not put to the test.")


def test_prediction_sets_say_promise_and_fact(document: Document, unproven: Document) -> None:
    held = document["metrics"]["conformal"]["coverage"]["value"]

    assert words.prediction_sets(document).startswith(
        "The sets are made to hold the true class for 90% of the images, on average over draws of "
        f"5,000 calibration images; here they did for {held:.1%} (95%"
    )
    assert words.prediction_sets(unproven).startswith("Every set holds all classes")


def test_images_that_could_not_be_read_are_named(document: Document) -> None:
    error = {"code": "truncated", "message": "cut off", "hint": None, "path": None}
    document["unreadable"] = [{"source": f"{k}.jpg", "error": error} for k in range(7)]

    assert "7 images could not be read and are in no number: “0.jpg”, “1.jpg”" in said(document)
    del document["unreadable"][1:]
    assert "1 image could not be read and is in no number: “0.jpg”." in said(document)


@pytest.mark.parametrize(
    ("how", "known"),
    [("split", True), ("content", True), ("calibration", False), ("unlabelled", False), (None, False)],
)
def test_images_that_may_have_been_learned_from_are_no_proof(
    document: Document, how: str | None, known: bool
) -> None:
    document["provenance"]["unseen"] = how

    assert words.unseen(document) is known
    assert ("That these images are new to it" in said(document)) is not known
    assert ("without labels" in said(document)) is (how == "unlabelled")


@pytest.mark.parametrize(
    ("verdict", "p_value", "said"),
    [
        ("network_better", 1e-9, "the recognizer is better (p < 0.0001)."),
        ("baseline_better", 1e-9, "the baseline is better; ship it, with --model svm-hog, or train longer."),
        ("no_difference_shown", 0.26, "it is not proven that the recognizer is better (p = 0.26)."),
    ],
)
def test_a_baseline_is_better_or_worse_only_where_the_paired_images_show_it(
    verdict: str, p_value: float, said: str
) -> None:
    baseline = {
        "name": "svm-hog", "n_fit": 300, "of": 300, "seconds": 2.0,
        "accuracy": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 100, "method": "clopper-pearson"},
        "paired": {
            "n": 4000, "only_network": 1200, "only_baseline": 7, "p_value": p_value, "verdict": verdict,
        },
    }  # fmt: skip

    sentence = words.against_baseline(baseline)

    assert sentence is not None
    assert sentence.endswith(f"names 1,200 correctly, only the baseline 7: {said}")
    assert "Of 4,000 independent images only the recognizer" in sentence
    assert "svm-hog fitted to all 300 training images in 2 s" in sentence
    assert words.against_baseline({"name": "majority class"}) is None


def test_prediction_sets_of_other_kinds_say_what_they_promise(
    document: Document, metrics: dict[str, Any]
) -> None:
    metrics["conformal"] |= {"method": "mondrian", "delta": None}
    assert "90% of the images of each class, on average over draws of" in words.prediction_sets(document)
    metrics["conformal"] |= {"method": "lac", "delta": 0.05, "coverage": interval(0.85, 0.899)}
    assert "90% of the images, with a certainty of 95%, from" in words.prediction_sets(document)
    assert "less often than promised" in words.prediction_sets(document)
    metrics["conformal"] |= {"delta": None}
    assert "less often than promised" not in words.prediction_sets(document), "an average may lie above"


@pytest.mark.parametrize(
    ("mine", "brought"),
    [
        ({"name": "nano", "size": 64}, "Pre-training brought +20.0 points"),
        ({"name": "nano", "size": 128}, "The transfer, of nano at 128 pixels, brought"),
        ({"name": "resnet18", "size": 64}, "The transfer, of resnet18 at 64 pixels, brought"),
        (
            {"name": "nano", "backbone": "resnet18", "size": 64},
            "The transfer, of nano with resnet18 at 64 pixels, brought",
        ),
    ],
)
def test_pre_training_is_credited_only_where_the_network_beside_it_is_the_same(
    mine: dict[str, Any], brought: str
) -> None:
    beside = {"name": "nano", "size": 64, "seconds": 30.0, "accuracy": interval(0.5, 0.7), "transfer": mine}
    beside["paired"] = {"difference": {"value": 0.2, "low": 0.1, "high": 0.3}}

    sentence = words.against_scratch({"scratch": beside})

    assert sentence is not None
    assert sentence.startswith("From scratch, nano at 64 pixels, trained for 30 s, names 60.0%")
    assert brought in sentence
    assert ("Pre-training" in sentence) == (mine == {"name": "nano", "size": 64})
