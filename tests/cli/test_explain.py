"""`foveal explain`: one document on stdout, words for people, the contract's exit codes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.cli import _main
from foveal.core import extras


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(20, 60, (32, 32, 3), dtype=np.uint8)
    pixels[:16, :16] += 150
    Image.fromarray(pixels).save(tmp_path / "[red]corner.png")
    return tmp_path / "[red]corner.png"


def test_json_is_the_document_and_the_map_peaks_in_the_corner(corner_bundle, picture, capsys):
    code = _main.run(["explain", str(corner_bundle), str(picture), "--threads", "1", "--json"])

    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (document["schema"], document["ok"], document["method"]) == ("foveal.explain/1", True, "occlusion")
    [entry] = document["explanations"]
    assert (entry["label"], entry["class"], entry["truth"]) == ("bright", "bright", None)
    assert entry["peak"]["x"] < 0.5
    assert entry["peak"]["y"] < 0.5
    assert entry["deletion_auc"] < entry["chance"]["deletion_auc"]
    assert (document["report"], document["out"], document["probes"]) == (None, None, [])


def test_people_are_told_what_is_lost_and_what_was_left_out(corner_bundle, picture, capsys):
    assert _main.run(["explain", str(corner_bundle), str(picture), "-q", "--class", "dark"]) == 0

    text = capsys.readouterr().out
    assert "[red]corner.png: “bright”; “dark” has" in text
    assert "left out    sanity, feature maps, probes and neighbours: a bundle holds no network" in text


def test_page_and_maps_are_written_and_not_written_over(corner_bundle, picture, tmp_path, capsys):
    page, maps = tmp_path / "page.html", tmp_path / "maps"
    arguments = [
        *("explain", str(corner_bundle), str(picture), "-q", "--json"),
        *("--report", str(page), "--out", str(maps)),
    ]

    assert _main.run(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["report"], document["out"]) == (str(page), str(maps))
    with Image.open(document["explanations"][0]["map"]["file"]) as drawn:
        assert drawn.size == (192, 192)
    assert "corner.png" in page.read_text(encoding="utf-8")
    assert _main.run(arguments) == 73
    assert _main.run([*arguments, "--force"]) == 0


def test_it_goes_on_after_a_picture_that_cannot_be_read(corner_bundle, picture, tmp_path, capsys):
    (tmp_path / "broken.png").write_bytes(b"no picture")

    code = _main.run(["explain", str(corner_bundle), str(tmp_path), "-q"])

    assert code == 0
    text = capsys.readouterr().out
    assert "unreadable" in text
    assert "these bytes are no picture" in text


@pytest.mark.parametrize(("name", "expected"), [("broken.png", 65), ("nowhere.png", 66)])
def test_where_no_picture_can_be_used_the_exit_code_says_why(corner_bundle, tmp_path, capsys, name, expected):
    (tmp_path / "broken.png").write_bytes(b"no picture")

    code = _main.run(["explain", str(corner_bundle), str(tmp_path / name), "--json"])

    document = json.loads(capsys.readouterr().out)
    assert code == expected
    assert document["ok"] is False
    assert "error" in document["explanations"][0]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--class", "drak"], "the recognizer has no 'drak'; did you mean 'dark'"),
        (["--method", "grad_cam"], "a bundle holds no network: name its run folder"),
        (["--method", "magic"], "explain has no 'magic'"),
        (["--most", "0"], "Invalid value for '--most'"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(corner_bundle, picture, capsys, more, said):
    assert _main.run(["explain", str(corner_bundle), str(picture), *more]) == 2
    assert said in capsys.readouterr().err


def test_the_page_needs_the_extra_and_the_map_does_not(corner_bundle, picture, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)

    assert (
        _main.run(["explain", str(corner_bundle), str(picture), "--report", str(tmp_path / "x.html")]) == 69
    )
    assert _main.run(["explain", str(corner_bundle), str(picture), "--out", str(tmp_path / "m"), "-q"]) == 0
    assert 'pip install "foveal[train]"' in capsys.readouterr().err
