"""COCO's panoptic layout: a PNG of segments for each picture, and a list of what they are."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foveal.core.errors import DataError
from foveal.data import opening
from foveal.data.scene import VOID

Tree = Callable[..., Path]
CAR, CROWD, SKY = 7, 300, 66000  # numbers of segments: of one byte, two and three


def colours() -> np.ndarray:
    """Return a map: sky above, a car and a crowd of cars below, and a column of which nothing is said."""
    numbers = np.zeros((10, 12), np.int64)
    numbers[:4] = SKY
    numbers[4:, :5] = CAR
    numbers[4:, 5:9] = CROWD
    return np.stack([numbers & 255, numbers >> 8 & 255, numbers >> 16], axis=2).astype(np.uint8)


def document(**changes: Any) -> dict[str, Any]:
    told = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 12, "height": 10}],
        "annotations": [
            {
                "image_id": 1,
                "file_name": "a.png",
                "segments_info": [
                    {"id": CAR, "category_id": 3, "iscrowd": 0},
                    {"id": CROWD, "category_id": 3, "iscrowd": 1},
                    {"id": SKY, "category_id": 90, "iscrowd": 0},
                ],
            }
        ],
        "categories": [
            {"id": 3, "name": "car", "isthing": 1},
            {"id": 90, "name": "sky", "isthing": 0},
        ],
    }
    return {**told, **changes}


def written(tree: Tree, told: dict[str, Any]) -> Path:
    return tree(
        {
            "annotations/panoptic_train.json": json.dumps(told, indent=1),
            "annotations/panoptic_train/a.png": colours(),
            "train/a.jpg": (12, 10),
        }
    )


def test_objects_and_classes_of_pixels_are_read(tree: Tree) -> None:
    data = opening.open(written(tree, document()))

    assert (data.format, data.task, data.classes) == ("coco_panoptic", "panoptic", ("car", "sky"))
    assert data.splits == ("train",)
    assert data.scenes is not None
    assert data.scenes.things == (0,)
    assert data.scenes.regions is not None
    regions = data.scenes.regions(0)
    assert np.unique(regions[:4]).tolist() == [1]
    assert np.unique(regions[4:, :9]).tolist() == [0]
    assert np.unique(regions[4:, 9:]).tolist() == [VOID]
    objects = data.scenes.objects(0)
    assert objects.boxes.tolist() == [[0, 4, 5, 10], [5, 4, 9, 10]]
    assert objects.ignored.tolist() == [False, True]
    assert objects.outlines[0].mask(10, 12).sum() == 30


def test_its_parts_are_read_for_other_tasks(tree: Tree) -> None:
    root = written(tree, document())

    assert {opening.open(root, task=task).task for task in ("segment", "instance", "detect")} == {
        "segment",
        "instance",
        "detect",
    }


def test_what_is_stated_changes_with_the_map(tree: Tree) -> None:
    first = opening.open(written(tree, document()))
    other = document()
    other["annotations"][0]["segments_info"][0]["iscrowd"] = 1
    second = opening.open(written(lambda content: tree(content, name="other"), other))

    assert first.truths != second.truths


def wrong(what: str) -> dict[str, Any]:
    told = document()
    annotation = told["annotations"][0]
    if what == "a segment that is not listed":
        annotation["segments_info"].pop()
    elif what == "a category that is not there":
        annotation["segments_info"][0]["category_id"] = 4
    elif what == "an image that is not there":
        annotation["image_id"] = 2
    elif what == "a map that is not there":
        annotation["file_name"] = "b.png"
    elif what == "a segment that is there twice":
        annotation["segments_info"].append({"id": CAR, "category_id": 90})
    elif what == "a flag that is a word":
        told["categories"][0]["isthing"] = "no"
    else:
        told["images"] = []
        del annotation["segments_info"]
    return told


@pytest.mark.parametrize(
    ("what", "where"),
    [
        ("a segment that is not listed", "panoptic_train/a.png"),
        ("a category that is not there", "panoptic_train.json, line"),
        ("an image that is not there", "panoptic_train.json, line"),
        ("a map that is not there", "panoptic_train.json, line"),
        ("a segment that is there twice", "panoptic_train.json, line"),
        ("a flag that is a word", "panoptic_train.json, line"),
        ("no segments", "panoptic_train.json, line"),
    ],
)
def test_mistakes_are_named_by_their_place(tree: Tree, what: str, where: str) -> None:
    root = written(tree, wrong(what))

    with pytest.raises(DataError, match="panoptic_train") as error:
        opening.open(root).scenes.objects(0)

    assert error.value.code == "bad_annotation"
    assert where in error.value.message
