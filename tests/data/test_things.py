"""data.things: objects of class maps, beside scipy's labelling."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import scenes
from foveal.core.errors import DataError, UnknownNameError
from foveal.data import opening
from foveal.data.things import components, connected


@given(st.integers(0, 2**31), st.integers(1, 24), st.integers(1, 24))
@settings(max_examples=200)
def test_parts_are_those_that_scipy_finds(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < rng.choice([0.2, 0.4, 0.6, 0.8])

    found = [one.mask(height, width) for one in connected(mask)]

    numbers, count = ndimage.label(mask, structure=np.ones((3, 3)))
    assert len(found) == count
    wanted = {(numbers == number).tobytes() for number in range(1, count + 1)}
    assert {one.tobytes() for one in found} == wanted


def test_each_class_is_counted_by_itself_and_crumbs_are_ignored() -> None:
    regions = np.zeros((20, 20), np.uint8)
    regions[2:8, 2:8] = 1
    regions[2:8, 8:14] = 2  # touches it, and is of another class
    regions[15:17, 15:17] = 1

    found = components(regions, (1, 2))

    assert found.labels.tolist() == [1, 1, 2]
    assert found.ignored.tolist() == [False, True, False]
    assert found.boxes[0].tolist() == [2, 2, 8, 8]
    assert found.boxes[2].tolist() == [8, 2, 14, 8]


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scenes.write_maps(tmp_path_factory.mktemp("data") / "areas", count=8)


def test_class_maps_with_things_are_panoptic(maps: Path) -> None:
    data = opening.open(maps, task="panoptic", things=["light", "dark"])

    assert data.task == "panoptic"
    assert data.scenes is not None
    assert data.scenes.things == (1, 2)
    _, boxes, labels = scenes.squares(8)
    found = data.scenes.objects(data.sources.index("train/images/picture000.png"))
    told = sorted(zip(found.labels.tolist(), found.boxes.tolist(), strict=True))
    assert told == sorted(zip((labels[0] + 1).tolist(), boxes[0].tolist(), strict=True))
    assert opening.open(maps, things=["light"]).task == "panoptic"


def test_what_cannot_be_counted_is_said(maps: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        opening.open(maps, task="panoptic")
    assert error.value.code == "no_things"
    assert "--things" in str(error.value.hint)
    with pytest.raises(UnknownNameError, match="ligth"):
        opening.open(maps, task="panoptic", things=["ligth"])
    boxes = scenes.write_voc(tmp_path / "voc", count=8)
    with pytest.raises(DataError) as error:
        opening.open(boxes, things=["light"])
    assert error.value.code == "other_task"
