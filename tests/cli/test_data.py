"""`foveal data get|convert|show`: words, documents and exit codes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.cli import _main


@pytest.fixture
def source(tmp_path: Path) -> Path:
    images = np.random.default_rng(0).integers(0, 256, (12, 10, 10, 3), dtype=np.uint8)
    np.savez(tmp_path / "set.npz", images=images, labels=np.arange(12) % 2, track=np.arange(12) // 3)
    return tmp_path / "set.npz"


def run(*arguments: object) -> int:
    return _main.run(["data", *map(str, arguments)])


def test_get_lists_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("get", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["action"]) == ("foveal.data/1", "get")
    assert {row["name"] for row in document["offered"]} == {"digits", "fashion-mnist"}
    assert run("get") == 0
    assert "fashion-mnist" in capsys.readouterr().out


def test_convert_and_show(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("convert", source, tmp_path / "out", "--to", "image_folder", "--json", "-q") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["images"], document["groups"], document["splits"]) == (12, 4, {"": 12})
    assert run("show", tmp_path / "out", "--out", tmp_path / "page.html", "--json", "-q") == 0
    shown = json.loads(capsys.readouterr().out)
    assert [row["images"] for row in shown["per_class"]] == [6, 6]
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count('src="data:image/') == 12
    assert "http" not in page.replace("http-equiv", "")
    assert run("show", tmp_path / "out") == 0
    assert "12 pictures of 2 classes in image_folder" in capsys.readouterr().out


def test_make_lists_what_can_be_drawn_and_draws_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("make", "--json") == 0
    offered = json.loads(capsys.readouterr().out)["offered"]
    assert {"aerial", "conveyor", "field", "shelf", "vehicles"} <= {row["name"] for row in offered}
    assert run("make", "field", tmp_path / "out", "--pictures", 4, "--size", 96, "--json", "-q") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["action"], document["synthetic"]) == ("foveal.data/1", "make", True)
    assert (document["images"], document["width"], document["height"]) == (4, 96, 72)
    assert run("make", "conveyor", tmp_path / "out.mkv", "--pictures", 3, "--size", 128) == 0
    told = capsys.readouterr().out
    assert "synthetic" in told
    assert "--line 64,70,64,0" in told
    assert run("make") == 0
    assert "a film" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["make", "sea"], 2, "synthetic has no 'sea'"),
        (["make", "shelf", "out", "--task", "segment"], 2, "there is nothing for segment"),
        (["make", "shelf", "film.mp4"], 2, "nothing moves in shelf"),
        (["make", "conveyor", "film.avi"], 2, "a film is written as .mp4 or .mkv"),
        (["make", "conveyor", "film.mp4", "--task", "detect"], 2, "has no task"),
        (["make", "conveyor", "there.mp4"], 73, "there.json is there already"),
        (["make", "conveyor", "sizes"], 73, "not empty"),
        ([], 2, "Missing command"),
        (["fetch"], 2, "No such command 'fetch'"),
        (["get", "nothing"], 2, "data has no 'nothing'"),
        (["convert", "gone", "x", "--to", "npz"], 66, "does not exist"),
        (["convert", "set.npz", "x", "--to", "zip"], 2, "has no 'zip'"),
        (["convert", "sizes", "x", "--to", "npz"], 65, "2 sizes"),
        (["convert", "set.npz", "x", "--to", "npz", "--group", "nix"], 2, "has no 'nix'"),
        (["show", "set.npz", "--out", "page.png"], 2, "the page is HTML"),
    ],
)
def test_mistakes_are_told(
    source: Path, capsys: pytest.CaptureFixture[str], monkeypatch, arguments: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(source.parent)
    for size in (8, 9):
        Path(f"sizes/c{size}").mkdir(parents=True)
        Image.new("L", (size, size)).save(f"sizes/c{size}/1.png")
    Path("there.json").touch()

    assert run(*arguments) == code
    assert said in capsys.readouterr().err
