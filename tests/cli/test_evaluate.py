"""`foveal evaluate`: one document on stdout, an honest page of text, the contract's exit codes."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from foveal.cli import _main
from foveal.core import extras
from foveal.core.errors import ImageError
from foveal.core.types import Measured
from foveal.evaluate.document import Disturbed, Report
from foveal.evaluate.held_out import HeldOut
from foveal.evaluate.measure import measure
from foveal.flows import evaluate as flow
from foveal.tasks.classify.decode import Abstain, Conformal, Decision

RAN = {"engine": "onnxruntime 1.32.0", "precision": "bf16", "images_per_second": 123.4}


def report(*, threshold: float | None = 0.8, dog: str = "[red]dog", source: str = "x.png") -> Report:
    """Return a report of 60 pictures of two of three classes."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    powers = np.exp(rng.normal(size=(60, 3)) + 3 * np.eye(3)[labels])
    decision = Decision(
        abstain=Abstain(threshold=threshold, risk=0.01, delta=0.05, n=90, needed=None if threshold else 299),
        conformal=Conformal(alpha=0.1, quantile=0.6, n=90),
    )
    found = measure(
        (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32),
        labels,
        classes=("cat", dog, "owl"),
        decision=decision,
    )
    return Report(
        **{
            **vars(found),
            "bundle": "a.foveal",
            "digest": "d",
            "robustness": (
                Disturbed("none", 0, Measured(0.9, 0.8, 0.95, 60, "clopper-pearson")),
                Disturbed("gaussian_blur", 3, Measured(0.5, 0.4, 0.6, 60, "clopper-pearson")),
            ),
            "unreadable": ((source, ImageError("it ends early", code="truncated")),),
            "provenance": {**RAN, "unseen": "split"},
        }
    )


class Undecided:
    """Answers, whatever it is shown, that all three classes are equally likely."""

    classes = ("cat", "[red]dog", "owl")

    def run(self, images):
        return SimpleNamespace(probabilities=np.full((len(images), 3), 1 / 3, dtype=np.float32))


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Let the flow return a report at once, and return what it was asked."""
    asked: dict[str, object] = {}

    def evaluate(model, data, **options):
        asked.update(model=model, data=data, **options)
        sources = [f"#{i}" for i in range(60)]
        held_out = HeldOut(np.zeros(60, np.int64), sources, lambda i: np.zeros((8, 8, 3), np.uint8))
        return flow.Evaluated(asked.pop("report", report()), held_out, Undecided())

    monkeypatch.setattr(flow, "evaluate", evaluate)
    return asked


def test_json_is_the_document_and_nothing_else(measured, capsys):
    options = [
        "--split",
        "val",
        "--seed",
        "3",
        "--threads",
        "2",
        "--engine",
        "openvino",
        "--precision",
        "bf16",
    ]
    code = _main.run(["evaluate", "run", "data", *options, "--json"])

    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (document["schema"], document["ok"], document["images"]) == ("foveal.evaluate/1", True, 60)
    assert document["metrics"]["accuracy"]["method"] == "clopper-pearson"
    del measured["progress"]
    terms = flow.Terms("openvino", "bf16", 2)
    assert measured == {"model": Path("run"), "data": Path("data"), "split": "val", "seed": 3, "terms": terms}


def test_auto_leaves_engine_and_precision_to_what_is_remembered(measured, capsys):
    assert _main.run(["evaluate", "run", "data", "--engine", "auto", "-q"]) == 0

    assert measured["terms"] == flow.Terms(None, None, None)
    assert "a.foveal on onnxruntime 1.32.0 in bf16, 123 images/s" in capsys.readouterr().out


def test_text_says_with_intervals_what_is_good_weak_and_not_proven(measured, capsys):
    assert _main.run(["evaluate", "run", "data", "-q"]) == 0

    text = capsys.readouterr().out
    for start in (
        "measured",
        "on",
        "accuracy",
        "balanced",
        "worst class",
        "disturbed",
        "unreadable",
        "not proven",
    ):
        assert any(line.startswith(f"{start} ") for line in text.splitlines()), start
    assert "60 images (test; the test part of the training data)" in text
    assert "95% interval" in text
    assert "[red]dog" in text, "a class name is no markup"
    assert "x.png: it ends early" in text
    assert "Nothing is known about “owl”" in text


def test_control_characters_in_names_are_never_printed(measured, capsys):
    measured["report"] = report(dog="\x1b[2J\ndog", source="in/\x1b]0;x\x07.png")

    assert _main.run(["evaluate", "run", "data", "-q"]) == 0

    text = capsys.readouterr().out
    assert all(line.isprintable() for line in text.splitlines())
    assert r"\x1b[2J\ndog" in text
    assert r"in/\x1b]0;x\x07.png: it ends early" in text


def test_text_says_when_the_calibration_part_was_measured(measured, capsys):
    facts = {**RAN, "unseen": "calibration"}
    measured["report"] = replace(report(), split="calib", provenance=facts)

    assert _main.run(["evaluate", "run", "data", "--split", "calib", "-q"]) == 0

    text = capsys.readouterr().out
    assert "60 images (calib; none of them learned from, but they calibrated it" in text
    assert "look better than they are" in text


@pytest.mark.parametrize("command", [["evaluate", "run", "data"], ["predict", "run", "x.png"]])
def test_another_device_is_refused_as_a_missing_one(command, measured, capsys):
    assert _main.run([*command, "--device", "cuda:0", "--json"]) == 69
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "no_device"
    assert not measured


def test_text_says_when_nothing_is_guaranteed(measured, capsys):
    measured["report"] = report(threshold=None)

    assert _main.run(["evaluate", "run", "data", "-q"]) == 0

    text = " ".join(capsys.readouterr().out.split())
    assert "no threshold could be proven" in text
    assert "about 449 independent calibration images" in text


def test_the_page_is_written_where_it_was_asked_for(measured, tmp_path, capsys):
    page = tmp_path / "page.html"

    assert _main.run(["evaluate", "run", "data", "--report", str(page), "-q"]) == 0

    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert str(page) in capsys.readouterr().out


def test_a_page_that_is_there_is_not_overwritten_without_force(measured, tmp_path, capsys):
    page = tmp_path / "page.html"
    page.write_text("mine", encoding="utf-8")

    code = _main.run(["evaluate", "run", "data", "--report", str(page), "--json"])

    assert (code, page.read_text(encoding="utf-8")) == (73, "mine")
    assert measured == {}, "it is refused before anything is measured"
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "cannot_write"
    assert _main.run(["evaluate", "run", "data", "--report", str(page), "--force", "--json"]) == 0
    assert page.read_text(encoding="utf-8") != "mine"


def test_without_the_extra_a_page_is_refused_with_the_command_that_installs_it(
    measured, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)

    assert _main.run(["evaluate", "run", "data", "--report", str(tmp_path / "page.html")]) == 69
    assert 'pip install "foveal[train]"' in capsys.readouterr().err
    assert _main.run(["evaluate", "run", "data", "-q"]) == 0, "the numbers need no extra"


def test_what_is_not_there_has_exit_code_66(tmp_path, capsys):
    code = _main.run(["evaluate", str(tmp_path / "nowhere"), str(tmp_path), "--json"])

    assert code == 66
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "not_found"
