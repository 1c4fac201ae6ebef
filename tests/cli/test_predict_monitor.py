"""foveal predict --monitor: do these pictures look like those of the calibration?"""

import json
from pathlib import Path

import pytest
from PIL import Image

from foveal.cli._main import run


@pytest.fixture
def predict(bundle, tmp_path, monkeypatch, capsys):
    """Run the command beside a few pictures; return exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    Path("in/deep").mkdir(parents=True)
    for place, color in (("in/red", (220, 30, 30)), ("in/deep/green", (30, 220, 30))):
        Image.new("RGB", (40, 30), color).save(f"{place}.png")

    def call(*arguments: str, model: object = bundle) -> tuple[int, str, str]:
        capsys.readouterr()
        return run(["predict", str(model), *arguments]), *capsys.readouterr()

    return call


@pytest.mark.parametrize("form", ["--json", "--jsonl", "--csv", None])
def test_monitor_says_at_the_end_whether_pictures_look_like_the_calibration(predict, watched, form) -> None:
    for number in range(60):
        Image.new("RGB", (40, 30), (200, 199, 198)).save(f"in/deep/{number}.png")

    code, out, err = predict("in/deep", "--monitor", *([form] if form else []), model=watched)

    assert code == 0
    if form == "--json":
        state = json.loads(out)["monitor"]
        assert (state["verdict"], state["pictures"]) == ("changed", 61)
        assert {alarm["kind"] for alarm in state["alarms"]} == {"scores", "rejected", "quality"}
    else:
        assert "monitor: the confidence is not distributed as at the calibration" in err
        assert "monitor: brightness is higher than usual" in err
        assert "monitor" not in out


def test_monitor_without_a_change_says_that_there_is_no_sign(predict, watched) -> None:
    code, _, err = predict("in/red.png", "--monitor", "--quiet", model=watched)

    assert code == 0
    assert "monitor: no sign that this picture differs from those of the calibration" in err


def test_monitor_needs_a_bundle_that_keeps_its_calibration(predict) -> None:
    code, out, err = predict("in/red.png", "--monitor")

    assert (code, out) == (2, "")
    assert "keeps nothing of its calibration" in err


def test_without_monitor_the_document_has_no_such_key(predict, watched) -> None:
    assert "monitor" not in json.loads(predict("in/red.png", "--json", model=watched)[1])
