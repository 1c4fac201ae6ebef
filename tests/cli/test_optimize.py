"""`foveal optimize BUNDLE PICTURES`: one document, a table that speaks of agreement, the exit codes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.cli import _main
from foveal.data import listing

FAST = ("--time", "20s", "--engine", "onnxruntime", "--threads", "1", "--max-drop", "10pt", "-q")


@pytest.fixture(scope="module")
def world(make_bundle, tmp_path_factory) -> Path:
    """A bundle and ninety pictures of its classes."""
    place = tmp_path_factory.mktemp("world")
    make_bundle(place / "a.foveal")
    rng = np.random.default_rng(0)
    (place / "photos").mkdir()
    for number in range(90):
        pixels = rng.integers(0, 150, (16, 16, 3), dtype=np.uint8)
        pixels[..., number % 3] += 70
        Image.fromarray(pixels).save(place / "photos" / f"{number}.png")
    return place


def line(world: Path, *more: str) -> list[str]:
    return ["optimize", str(world / "a.foveal"), *more, "--out", str(world / "search"), *FAST]


def test_a_folder_and_a_pattern_mean_the_same_and_both_are_told(world, capsys) -> None:
    code = _main.run(line(world, str(world / "photos"), "--json"))
    out, err = capsys.readouterr()
    document = json.loads(out)

    told = _main.run(line(world, str(world / "photos" / "*.png")))  # the same search: nothing is done again
    said = capsys.readouterr().out

    assert (code, err, told) == (0, "", 0)
    assert (document["schema"], document["measure"]) == ("foveal.optimize/1", "agreement")
    assert document["warnings"]
    assert "agreement" in said.splitlines()[0]
    assert "on 30 pictures that chose nothing: agreement" in said
    assert "95 % intervals, n=30 pictures that chose" in said
    assert "not tried Training: a bundle holds no network" in said
    assert "accuracy" not in said
    assert "points lost" not in said
    assert all(warning[:40] in said for warning in document["warnings"])


@pytest.mark.parametrize(
    ("pictures", "code", "said"),
    [
        ([], 2, "comes without pictures"),
        (["photos/0.png", "photos/1.png"], 65, "too few"),
        (["nowhere"], 66, "nowhere"),
        (["photos/*.jpg"], 66, "nothing in"),
    ],
)
def test_exit_codes(world, tmp_path, pictures, code, said, capsys) -> None:
    named = [str(world / name) for name in pictures]

    found = _main.run(["optimize", str(world / "a.foveal"), *named, "--out", str(tmp_path / "out"), *FAST])

    assert found == code
    assert said in capsys.readouterr().err


def test_names_keep_folders_whole_and_open_patterns(world) -> None:
    folder, pattern = str(world / "photos"), str(world / "photos" / "1?.png")

    assert list(listing.names([folder, "not there"])) == [folder, "not there"]
    assert len(list(listing.names([pattern]))) == 10


@pytest.mark.parametrize(
    ("option", "value", "hint"),
    [
        ("--max-latency", "2", "2ms"),
        ("--max-p99", "5 MS", "no unit 'MS'"),
        ("--max-size", "500", "500kB"),
        ("--max-memory", "1e9B", "no sign, comma or exponent"),
        ("--max-drop", "1%", "1pt"),
        ("--time", "10", "10m"),
    ],
)
def test_a_limit_that_cannot_be_read_names_its_option_and_how_to_write_it(option, value, hint, capsys):
    assert _main.run(["optimize", "nowhere.foveal", option, value, "--json"]) == 2

    error = json.loads(capsys.readouterr().out)["error"]
    assert error["message"].startswith(f"{option}: need")
    assert hint in error["hint"]
