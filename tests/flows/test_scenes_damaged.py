"""What is damaged is told and in no number: a picture, or what is stated about one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import scenes
from foveal.core.errors import DataError
from foveal.flows.evaluate import evaluate
from scene_graphs import seal_finder

TEST = [f"picture{number:03d}" for number in range(9, 12)]  # a quarter of twelve


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    return scenes.write_maps(tmp_path / "areas", count=12, side=32)


def masks(data: Path) -> list[Path]:
    return sorted((data / "test" / "masks").iterdir())


def test_a_map_that_is_none_is_listed_like_a_picture_that_is_none(shader: Path, maps: Path) -> None:
    whole = evaluate(shader, maps, split="test").report.as_json()
    masks(maps)[0].write_bytes(b"no map")
    Image.new("L", (5, 5)).save(masks(maps)[1])

    told = evaluate(shader, maps, split="test").report.as_json()

    assert (whole["images"], told["images"]) == (3, 1)
    assert [one["source"] for one in told["unreadable"]] == [f"test/images/{name}.png" for name in TEST[:2]]
    assert {one["error"]["code"] for one in told["unreadable"]} == {"bad_annotation"}
    assert f"test/masks/{TEST[0]}.png" in told["unreadable"][0]["error"]["message"]
    assert told["metrics"]["miou"]["n"] == 1
    assert sum(map(sum, told["confusion"])) == 32 * 32


def test_a_picture_and_the_map_of_another_may_both_be_damaged(shader: Path, maps: Path) -> None:
    masks(maps)[0].write_bytes(b"no map")
    picture = maps / "test" / "images" / f"{TEST[2]}.png"
    picture.write_bytes(picture.read_bytes()[:99])

    done = subprocess.run(
        [sys.executable, "-m", "foveal", "evaluate", str(shader), str(maps), "--split", "test", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["images"] == 1
    assert [one["error"]["code"] for one in told["unreadable"]] == ["bad_annotation", "truncated"]


def test_where_nothing_can_be_read_nothing_is_measured(shader: Path, maps: Path) -> None:
    for mask in masks(maps):
        mask.write_bytes(b"no map")

    with pytest.raises(DataError) as caught:
        evaluate(shader, maps, split="test")

    assert caught.value.code == "no_readable_images"


def test_objects_of_other_pictures_are_measured(tmp_path: Path, draft) -> None:
    data = scenes.write_voc(tmp_path / "voc", count=12, side=32)
    finder = seal_finder(tmp_path / "finder.foveal", draft)
    picture = data / "JPEGImages" / f"{TEST[0]}.png"
    picture.write_bytes(picture.read_bytes()[:60])

    told = evaluate(finder, data, split="test").report.as_json()

    assert told["images"] == 2
    assert [one["source"] for one in told["unreadable"]] == [f"JPEGImages/{TEST[0]}.png"]
