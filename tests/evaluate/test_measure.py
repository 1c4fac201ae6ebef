"""evaluate.measure and its document: complete, finite, counted right, honest where nothing is known."""

import json
from dataclasses import replace

import numpy as np
import pytest

from foveal.core.errors import UsageError
from foveal.evaluate.document import SCHEMA
from foveal.evaluate.measure import measure
from foveal.metrics.accuracy import accuracy
from foveal.metrics.brier import brier
from foveal.metrics.ece import ece, ece_null
from foveal.metrics.nll import nll
from foveal.metrics.risk_coverage import risk_coverage
from foveal.tasks.classify.decode import Abstain, Conformal, Decision

CLASSES = ("cat", "dog", "owl", "yak")


def answers(n=400, *, seed=0):
    """Return probabilities and labels; class yak is absent."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=n)
    scores = 2 * rng.normal(size=(n, 4)) + 4 * np.eye(4)[labels]
    powers = np.exp(scores)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32), labels


def numbers(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for one in value for number in numbers(one)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


@pytest.fixture
def document(decision):
    return measure(*answers(), classes=CLASSES, decision=decision).as_json()


MEASURED = {"value", "low", "high", "n", "method"}


def test_the_document_has_the_agreed_keys(document):
    assert set(document) == {
        *("schema", "ok", "bundle", "digest", "task", "split", "images", "classes", "absent_classes"),
        *("metrics", "confusion", "confused_pairs", "reliability", "risk_coverage", "worst_mistakes"),
        *("robustness", "bands", "unreadable", "provenance"),
    }
    metrics = document["metrics"]
    assert set(metrics) == {
        *("accuracy", "balanced_accuracy", "worst_class", "nll", "brier", "ece", "ece_null_p95", "aurc"),
        *("coverage_at_risk", "conformal", "per_class", "majority", "intervals"),
    }
    assert set(metrics["accuracy"]) == MEASURED
    assert set(metrics["worst_class"]) == {"class", *MEASURED}
    assert set(metrics["coverage_at_risk"]) == {
        "risk",
        "delta",
        "threshold",
        "calibration_images",
        "observed_risk",
        "needed",
        *MEASURED,
    }
    assert set(metrics["conformal"]) == {
        *(
            "method",
            "alpha",
            "delta",
            "quantile",
            "calibration_images",
            "coverage",
            "mean_set_size",
            "singleton_share",
        ),
    }
    assert set(metrics["per_class"][0]) == {"class", "n", "recall", "precision"}
    assert set(metrics["majority"]) == {"class", "accuracy"}
    assert set(metrics["intervals"]) == {"balanced_accuracy", "nll", "brier", "singleton_share"}
    assert all(set(one) == MEASURED for one in metrics["intervals"].values())
    assert set(document["reliability"][0]) == {"low", "high", "n", "confidence", "accuracy"}
    assert set(document["worst_mistakes"][0]) == {"source", "truth", "label", "confidence"}
    assert set(document["confused_pairs"][0]) == {"truth", "label", "count"}
    assert (document["schema"], document["ok"], document["task"]) == (SCHEMA, True, "classify")


def test_each_number_is_that_of_its_metric(document):
    probabilities, labels = answers()
    metrics = document["metrics"]

    assert metrics["nll"] == nll(probabilities, labels)
    assert metrics["brier"] == brier(probabilities, labels)
    assert metrics["ece"] == ece(probabilities, labels)
    assert metrics["ece_null_p95"] == ece_null(probabilities, level=0.95)
    assert metrics["aurc"] == risk_coverage(probabilities, labels).aurc
    assert metrics["accuracy"] == accuracy(probabilities, labels).as_json()


def test_it_is_json_and_every_number_is_finite(document):
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert np.isfinite(numbers(document)).all()


def test_its_parts_agree_with_each_other(document):
    metrics, n = document["metrics"], document["images"]
    matrix = np.array(document["confusion"])

    assert n == matrix.sum() == sum(one["n"] for one in metrics["per_class"]) == 400
    assert matrix.trace() / n == metrics["accuracy"]["value"]
    assert metrics["balanced_accuracy"] == metrics["intervals"]["balanced_accuracy"]["value"]
    assert metrics["worst_class"]["value"] == min(one["recall"]["value"] for one in metrics["per_class"])
    assert document["absent_classes"] == ["yak"]
    assert sum(one["n"] for one in document["reliability"]) == n
    assert document["risk_coverage"][-1] == [1.0, pytest.approx(1 - metrics["accuracy"]["value"])]
    assert metrics["coverage_at_risk"]["observed_risk"]["n"] == round(
        metrics["coverage_at_risk"]["value"] * n
    )


def test_worst_mistakes_are_the_surest_wrong_answers(document):
    probabilities, labels = answers()
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    surest = wrong[np.argsort(-probabilities[wrong].max(axis=1))]

    shown = document["worst_mistakes"]

    assert len(shown) == min(24, len(wrong))
    assert [one["source"] for one in shown] == [f"#{index}" for index in surest[:24]]
    assert all(one["truth"] != one["label"] for one in shown)
    assert shown[0]["truth"] == CLASSES[labels[surest[0]]]


def test_an_unproven_threshold_is_null_and_says_what_it_would_take():
    nothing = Decision(
        abstain=Abstain(threshold=None, risk=0.01, delta=0.05, n=80, needed=299),
        conformal=Conformal(alpha=0.1, quantile=None, n=5),
    )

    metrics = measure(*answers(), classes=CLASSES, decision=nothing).as_json()["metrics"]

    coverage = metrics["coverage_at_risk"]
    assert [coverage[key] for key in ("threshold", "value", "low", "high", "observed_risk")] == [None] * 5
    assert (coverage["risk"], coverage["needed"], coverage["n"]) == (0.01, 299, 400)
    assert metrics["conformal"]["mean_set_size"] == 4
    assert metrics["conformal"]["coverage"]["value"] == 1


def test_a_threshold_nobody_reaches_has_no_observed_risk(decision):
    strict = decision.model_copy(update={"abstain": decision.abstain.model_copy(update={"threshold": 2.0})})

    coverage = measure(*answers(), classes=CLASSES, decision=strict).as_json()["metrics"]["coverage_at_risk"]

    assert (coverage["value"], coverage["observed_risk"]) == (0, None)


def test_equal_seeds_give_equal_documents(decision):
    one, same, other = (
        measure(*answers(), classes=CLASSES, decision=decision, seed=seed).as_json() for seed in (1, 1, 2)
    )

    assert one == same
    assert one != other


def test_one_image_and_no_mistake_can_be_measured(decision):
    found = measure(np.array([[0.9, 0.1]], np.float32), np.array([0]), classes="ab", decision=decision)

    document = found.as_json()
    assert document["worst_mistakes"] == document["confused_pairs"] == []
    json.dumps(document, allow_nan=False)


def test_a_report_can_be_completed(decision):
    report = measure(*answers(), classes=CLASSES, decision=decision)

    document = replace(report, bundle="a.foveal", digest="ab", split="val").as_json()

    assert (document["bundle"], document["digest"], document["split"]) == ("a.foveal", "ab", "val")


@pytest.mark.parametrize(("classes", "sources"), [("abc", None), (CLASSES, ["one"])])
def test_names_that_do_not_match_are_refused(decision, classes, sources):
    with pytest.raises(UsageError, match="a row per source and a column per class"):
        measure(*answers(), classes=classes, decision=decision, sources=sources)
