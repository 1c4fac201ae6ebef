"""A detector that looks at the frames of a film in tiles: small objects are found, followed and counted."""

import numpy as np
import pytest
from PIL import Image

import films
from foveal.bundle.predictor import Predictor
from foveal.core.errors import UsageError
from foveal.stream.places import Places
from scene_graphs import CELL, DARK, GROUND
from told import frames

pytest.importorskip("av")
WIDE = 56  # two tiles of 32 to a side, which begin at 0 and 24: on the grid of the cells
SQUARE = [40.0, 24.0, 48.0, 32.0]  # in both tiles of the right side


def still(count: int) -> np.ndarray:
    pictures = np.full((count, WIDE, WIDE, 3), GROUND, np.uint8)
    pictures[:, 24 : 24 + CELL, 40 : 40 + CELL] = DARK
    return pictures


@pytest.fixture
def detector(finder) -> Predictor:
    return Predictor.open(finder, threads=1)


@pytest.fixture
def large(tmp_path):
    return films.write(tmp_path / "large.mkv", still(8))


def test_what_is_too_small_in_the_whole_frame_is_found_in_a_tile_and_told_once(
    watch, detector, large
) -> None:
    zone = Places.read((), (f"right=28,0,{WIDE},0,{WIDE},{WIDE},28,{WIDE}",), anchor="middle")

    summary, told = watch(large, predictor=detector, tile=32, places=zone)
    _, whole = watch(large, predictor=detector)

    seen = [one.answer for one in frames(told)]
    assert len(seen) == 8
    assert all((one.width, one.height) == (WIDE, WIDE) for one in seen)
    assert [[list(found.box) for found in one.objects] for one in seen] == [[SQUARE]] * 8
    assert {found.track for one in seen[3:] for found in one.objects} == {1}
    assert summary.counted.as_json()["zones"]["right"]["now"]["value"] == 1
    assert not any(one.answer.objects for one in frames(whole))


def test_pictures_in_a_folder_are_seen_in_tiles_too(few, photos, detector) -> None:
    Image.fromarray(still(1)[0]).save(photos / "a.png")
    (photos / "b.png").write_bytes(b"no picture")

    _, told = few(photos, 2, existing=True, predictor=detector, tile=32)

    first, second = frames(told)
    assert [list(found.box) for found in first.answer.objects] == [SQUARE]
    assert second.answer.error.code == "not_image"


@pytest.mark.parametrize("model", ["bundle", "shader"])
def test_what_finds_no_objects_has_no_use_for_tiles(watch, large, model, request, tmp_path) -> None:
    predictor = Predictor.open(request.getfixturevalue(model), threads=1)
    answers = tmp_path / "answers.jsonl"

    with pytest.raises(UsageError) as caught:
        watch(large, predictor=predictor, tile=32, sinks=(f"jsonl:{answers}",))

    assert caught.value.code == "other_task"
    assert not answers.exists()
