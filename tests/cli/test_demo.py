"""`foveal demo`: arguments reach the flow, the result reaches the person, names stay text."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from foveal.cli._main import run
from foveal.flows import demo as flow


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replace the flow; return what it was asked for."""
    asked: dict[str, Any] = {}
    document = {
        "schema": "foveal.demo/1", "ok": True, "model": "nano", "seconds": 61.0, "epochs": 12.0,
        "images_per_second": 1234.5, "plan": {"reasons": {"size": "32 pixels"}}, "budget": None, "findings": [],
        "parity": {"max_abs_difference": 0.2, "clear_flips": 7},
    }  # fmt: skip
    result = SimpleNamespace(document=document, evaluation=None, report=None, bundle=None, run=tmp_path)
    asked["result"] = result

    def demo(name: str | None, **arguments: Any) -> Any:
        asked.update(name=name, **arguments)
        return result

    monkeypatch.setattr(flow, "demo", demo)
    return asked


def test_options_reach_the_flow(finished: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["demo", "here", "--data", "digits", "--time", "90s", "--seed", "3", "--json"])

    assert code == 0
    assert (finished["name"], finished["folder"]) == ("digits", Path("here"))
    assert (finished["recipe"].time_seconds, finished["recipe"].seed) == (90.0, 3)
    assert json.loads(capsys.readouterr().out)["schema"] == "foveal.demo/1"


def test_failed_gate_is_told_and_exits_with_10(
    finished: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    finished["result"].document["ok"] = False

    assert run(["demo"]) == 10

    told = " ".join(capsys.readouterr().out.split())
    assert "trained nano in 1 min 1 s: 12 passes, 1234 images/s size 32 pixels" in told
    assert "the exported file differs from the network by 0.2 and changes 7 decisions" in told


def test_person_learns_what_was_found_and_where_everything_lies(
    finished: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    share = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 50, "method": "clopper-pearson"}
    finished["result"].evaluation = {
        "images": 50, "absent_classes": [], "unreadable": [],
        "confused_pairs": [{"truth": "[/b]\x1b[2J", "label": "b", "count": 5}],
        "metrics": {
            "accuracy": share, "majority": {"class": "b", "accuracy": {**share, "low": 0.1, "high": 0.3}},
            "worst_class": {"class": "[/b]\x1b[2J", **share}, "ece": 0.1, "ece_null_p95": 0.2,
            "per_class": [{"class": "[/b]\x1b[2J", "n": 50, "recall": share, "precision": None}],
            "coverage_at_risk": {"risk": 0.01, "delta": 0.05, "threshold": None, "needed": 299},
            "conformal": {"alpha": 0.1, "quantile": None},
        },
    }  # fmt: skip
    finished["result"].report, finished["result"].bundle = tmp_path / "report.html", tmp_path / "a.foveal"

    assert run(["demo", "-q"]) == 0

    told = capsys.readouterr().out
    assert "test      90.0% (95% interval 80.0% to 95.0%, n=50)" in told
    assert "5 of 50 images of “[/b]\\x1b[2J” were taken for “b”." in told
    assert "unproven  50 test images fix the accuracy to about ±7.5 points" in told
    for label, path in {"report": "report.html", "figures": "figures", "bundle": "a.foveal"}.items():
        assert f"{label:<10}{tmp_path / path}" in told
    assert told.endswith(f"next      foveal predict {tmp_path / 'a.foveal'} PICTURE\n")
