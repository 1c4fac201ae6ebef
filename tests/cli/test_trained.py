"""What a person is told when a training has ended: numbers with n, names as text, the next command."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from foveal.cli._trained import show
from foveal.evaluate.measure import measure
from foveal.tasks.classify.decode import Abstain, Conformal, Decision

HOSTILE = "[/b]\x1b[2J"


@pytest.fixture
def result(tmp_path: Path) -> Any:
    """A training on two classes, one with a name that a terminal would obey; 9 of 10 answers are right."""
    decision = Decision(
        abstain=Abstain(threshold=None, risk=0.01, delta=0.05, n=20, needed=299),
        conformal=Conformal(alpha=0.1, quantile=None, n=5),
    )
    labels = np.repeat([0, 1], 10)
    right = np.tile([1, 1, 1, 1, 1, 1, 1, 1, 1, 0], 2)
    probabilities = np.eye(2, dtype=np.float32)[np.where(right, labels, 1 - labels)] * 0.8 + 0.1
    report = measure(probabilities, labels, classes=(HOSTILE, "ok"), decision=decision)
    document = {
        "model": "nano", "task": "classify", "seconds": 75.0, "train_seconds": 61.0, "epochs": 12.0,
        "images_per_second": 1234.5, "budget": None, "baseline": {"name": "majority class"},
        "plan": {"reasons": {"size": "32 pixels"}}, "findings": [], "damaged_checkpoints": [],
        "parity": {"max_abs_difference": 0.2, "clear_flips": 7},
    }  # fmt: skip
    return SimpleNamespace(
        document=document,
        evaluation=report.as_json(),
        run=tmp_path,
        report=tmp_path / "report.html",
        bundle=tmp_path / "a.foveal",
    )


def told(result: Any) -> str:
    text = io.StringIO()
    show(Console(file=text, highlight=False, soft_wrap=True), result)
    return text.getvalue()


def test_numbers_stand_with_their_interval_and_what_they_do_not_prove(result: Any) -> None:
    text = told(result)

    assert (
        "trained   nano in 1 min 1 s: 12 passes, 1234 images/s; with all before and after it 1 min 15 s"
        in text
    )
    assert "size      32 pixels" in text
    assert "test      90.0% (95% interval 68.3% to 98.8%, n=20)" in text
    assert "unproven  20 test images fix the accuracy to about ±15.2 points" in text


def test_names_are_text_for_the_terminal(result: Any) -> None:
    assert "1 of 10 images of “[/b]\\x1b[2J” were taken for “ok”." in told(result)


@pytest.mark.parametrize(("task", "what"), [("classify", "PICTURE"), ("video", "FILM")])
def test_it_ends_with_where_everything_lies_and_the_next_command(result: Any, task: str, what: str) -> None:
    result.document["task"] = task
    *_, report, figures, bundle, following = told(result).splitlines()

    assert report == f"report    {result.report}"
    assert figures == f"figures   {result.run / 'figures'}"
    assert bundle == f"bundle    {result.bundle}"
    assert following == f"next      foveal predict {result.bundle} {what}"


def test_what_went_wrong_on_the_way_is_told(result: Any) -> None:
    result.document["budget"] = {"kept": False, "overshoot_share": 0.25}
    result.document["damaged_checkpoints"] = ["step-7"]
    result.document["findings"] = [
        {"severity": "warning", "message": "few images"},
        {"severity": "info", "message": "sizes differ"},
    ]

    text = told(result)

    assert "late      25% over the time given" in text
    assert "damaged   checkpoint step-7 could not be used" in text
    assert "data      few images" in text
    assert "sizes differ" not in text


def test_a_refused_export_is_told_instead_of_numbers(result: Any) -> None:
    result.evaluation = result.bundle = None

    text = told(result)

    assert "gate      failed: the exported file differs from the network by 0.2" in text
    assert "changes 7 decisions; no bundle was written" in text
    assert "next" not in text


def test_a_baseline_is_told_with_the_images_it_was_fitted_to(result: Any) -> None:
    result.document["baseline"] = {
        "name": "svm-hog", "n_fit": 4000, "of": 42500, "seconds": 8.0, "skipped": {"logistic": "no time"},
        "accuracy": {"value": 0.5, "low": 0.272, "high": 0.728, "n": 20, "method": "clopper-pearson"},
        "paired": {"n": 20, "both": 9, "only_network": 9, "only_baseline": 1, "neither": 1,
                   "p_value": 0.021, "verdict": "network_better"},
    }  # fmt: skip

    text = told(result)

    assert "baseline  logistic was not fitted: no time" in text
    assert "svm-hog fitted to 4,000 of the 42,500 training images in 8 s, names 50.0% (95% interval" in text
    assert "names 9 correctly, only the baseline 1: the recognizer is better (p = 0.021)." in text


def test_a_baseline_as_recognizer_has_no_passes(result: Any) -> None:
    result.document |= {"model": "knn", "epochs": None}

    assert "trained   knn in 1 min 1 s; with" in told(result)
