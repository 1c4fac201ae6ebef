"""`foveal build` and `foveal export`: real pictures, from the first line to the second."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.cli._main import _stopped, run
from foveal.flows.bench import Terms


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "shapes"
    rng = np.random.default_rng(0)
    for label, name in enumerate(("dark", "light")):
        (folder / name).mkdir(parents=True)
        for number in range(30):
            pixels = rng.integers(100 * label, 100 * label + 120, (20, 20), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def test_build_then_the_same_line_then_export(pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("foveal.flows.build._TERMS", Terms(threads=(1,), seconds=0.2))
    line = ["build", str(pictures), "--epochs", "4", "--size", "16", "--threads", "1"]

    assert run([*line, "--json", "-q"]) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert captured.err == ""
    assert document["out"] == "runs/build-shapes"
    assert Path("runs/last/shapes.foveal").samefile(document["bundle"])

    assert run([*line, "-q"]) == 0
    out = capsys.readouterr().out
    assert "(kept), train " in out
    assert "verdict   On pictures it had not seen it is right in " in out
    assert out.rstrip().endswith("foveal predict runs/build-shapes/shapes.foveal PICTURE")

    assert run(["export", document["run"], "--out", "again.foveal", "--json", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["digest"] == document["digest"]
    assert run(["export", document["run"], "--out", "again.foveal", "--force", "-q"]) == 0
    assert f"digest    {document['digest']}" in capsys.readouterr().out


def test_two_lengths_are_refused(pictures, capsys):
    assert run(["build", str(pictures), "--epochs", "3", "--time", "1m"]) == 2

    assert "two lengths" in capsys.readouterr().err


def test_a_build_that_was_interrupted_is_told_how_to_go_on():
    assert (
        _stopped("interrupted", ["build", "data"])["hint"] == "the same line again goes on where it stopped"
    )
    assert "--resume" in str(_stopped("interrupted", ["train", "data"])["hint"])
    assert _stopped("interrupted", ["info"])["hint"] is None
