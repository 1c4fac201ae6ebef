"""`foveal compare`: one document, a table for people, the contract's exit codes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.cli import _main


@pytest.fixture
def world(make_bundle, tmp_path: Path) -> Path:
    """Two bundles that decide differently, and pictures of their classes."""
    make_bundle(tmp_path / "a.foveal")
    make_bundle(tmp_path / "b.foveal", classes=["green", "blue", "red"])
    rng = np.random.default_rng(0)
    for channel, name in enumerate(("red", "green", "blue")):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(8):
            pixels = rng.integers(0, 120, (16, 16, 3), dtype=np.uint8)
            pixels[..., channel] += 100
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{number}.png")
    return tmp_path


def test_prints_one_document_that_says_which_is_better(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(world / name) for name in ("a.foveal", "b.foveal", "data")]

    code = _main.run(["compare", *arguments, "--json", "-q"])

    out, err = capsys.readouterr()
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert document["schema"] == "foveal.compare/1"
    assert [row["accuracy"]["value"] for row in document["models"]] == [1.0, 0.0]
    [pair] = document["pairs"]
    assert (pair["only_a"], pair["only_b"], pair["verdict"]) == (24, 0, "a_better")
    assert pair["p_value"] == pytest.approx(2 * 0.5**24)


def test_tells_people_the_same_and_writes_the_page(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(world / name) for name in ("b.foveal", "a.foveal", "data")]

    code = _main.run(["compare", *arguments, "--report", str(world / "page.html"), "-q"])

    told = capsys.readouterr().out
    assert code == 0
    assert "“a” is better than “b” by 100.0 points" in told
    assert "is not known" in told
    assert (world / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["a.foveal", "data"], 2, "two recognizers and the pictures"),
        (["a.foveal", "a.foveal", "data"], 2, "named twice"),
        (["a.foveal", "nothing.foveal", "data"], 66, "there is no"),
        (["a.foveal", "b.foveal", "data", "--curve", "many"], 2, "numbers of training images"),
        (["a.foveal", "b.foveal", "data", "--curve", "5"], 2, "no run folder"),
        (["a.foveal", "b.foveal", "data", "--out", "x"], 2, "give --curve"),
        (["a.foveal", "b.foveal", "data", "--report", "data/p.html"], 73, "only read"),
    ],
)
def test_mistakes_are_told_with_their_exit_code(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch, arguments: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(world)

    assert _main.run(["compare", *arguments, "-q"]) == code
    assert said in capsys.readouterr().err
