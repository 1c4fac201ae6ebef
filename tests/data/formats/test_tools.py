"""data.formats.labelme, cvat and datumaro: what annotation tools export."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foveal.core.errors import DataError
from foveal.data import opening
from foveal.data.formats import _rle
from foveal.data.outline import Runs

Tree = Callable[..., Path]
PICTURE = (40, 30)


def labelme(*shapes: dict[str, Any], **more: Any) -> str:
    rows = ",\n".join(map(json.dumps, shapes))
    rest = json.dumps({"imagePath": "a.jpg", "imageData": "QUJD", **more})[1:]
    return f'{{"version": "5.0", "flags": {{}}, "shapes": [\n{rows}\n],\n{rest}'


TRIANGLE = {"label": "cat", "points": [[1, 1], [9, 1], [9, 9]], "shape_type": "polygon", "group_id": None}


def test_shapes_of_labelme(tree: Tree) -> None:
    rectangle = {"label": "dog", "points": [[9, 8], [3, 2]], "shape_type": "rectangle"}
    circle = {"label": "cat", "points": [[20, 15], [23, 19]], "shape_type": "circle"}
    other = {**TRIANGLE, "points": [[11, 1], [19, 1], [19, 9]]}
    root = tree({"a.jpg": PICTURE, "a.json": labelme(TRIANGLE, rectangle, circle)})
    grouped = tree(
        {"a.jpg": PICTURE, "a.json": labelme({**TRIANGLE, "group_id": 1}, circle, {**other, "group_id": 1})},
        name="grouped",
    )

    dataset = opening.open(root)
    objects = dataset.scenes.objects(0)

    assert (dataset.format, dataset.scenes.tasks, dataset.classes) == ("labelme", ("detect",), ("cat", "dog"))
    assert objects.boxes.tolist() == [[1, 1, 9, 9], [3, 2, 9, 8], [15, 10, 25, 20]]
    assert dataset.ignored == ()
    joined = opening.open(grouped, task="instance").scenes.objects(0)
    assert joined.boxes.tolist() == [[1, 1, 19, 9], [15, 10, 25, 20]]
    assert abs(joined.outlines[0].mask(30, 40).sum() - 64) <= 8
    assert abs(joined.outlines[1].mask(30, 40).sum() - 25 * np.pi) <= 3


def test_pictures_of_labelme_may_lie_elsewhere(tree: Tree) -> None:
    text = labelme(TRIANGLE, imagePath="..\\images\\train\\a.jpg")

    dataset = opening.open(tree({"images/train/a.jpg": PICTURE, "json/a.json": text}))

    assert (dataset.sources, dataset.splits) == (("images/train/a.jpg",), ("train",))


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ({**TRIANGLE, "shape_type": "line"}, "shapes of type 'line' are not read"),
        ({**TRIANGLE, "points": [[1, 1], [2, 2]]}, "a polygon of 2 points"),
        ({**TRIANGLE, "points": [[1, 1], [2, 2], [3, "x"]]}, "'x', which is no number"),
        ({**TRIANGLE, "label": ""}, "'label' is missing, empty"),
    ],
)
def test_mistakes_in_labelme_are_named_by_line(tree: Tree, shape: dict[str, Any], why: str) -> None:
    with pytest.raises(DataError) as raised:
        opening.open(tree({"a.jpg": PICTURE, "a.json": labelme(TRIANGLE, shape)}))

    assert "set: a.json, line 3: " in raised.value.message
    assert why in raised.value.message


def cvat(*shapes: str, subset: str = "Train", labels: str = "<label><name>dog</name></label>") -> str:
    inner = "\n".join(shapes)
    return f"""<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><task><labels>{labels}<label><name>cat</name></label></labels></task></meta>
<image id="0" name="a.jpg" subset="{subset}" width="40" height="30">
{inner}
</image></annotations>"""


BOX = '<box label="cat" occluded="0" xtl="1.5" ytl="2" xbr="9" ybr="8.25"/>'


def test_shapes_of_cvat(tree: Tree) -> None:
    shapes = [
        BOX.replace("/>", '><attribute name="colour">red</attribute></box>'),
        '<polygon label="dog" points="1,1;9,1;9,9"/>',
        '<ellipse label="dog" cx="20" cy="15" rx="5" ry="3"/>',
        '<mask label="cat" rle="1, 2, 3" left="4" top="5" width="3" height="2"/>',
        '<tag label="cat"/>',
    ]
    for name, places in (("a", "images/a.jpg"), ("b", "a.jpg"), ("c", "images/Train/a.jpg")):
        root = tree({places: PICTURE, "annotations.xml": cvat(*shapes)}, name=name)

        dataset = opening.open(root)
        objects = dataset.scenes.objects(0)

        assert (dataset.format, dataset.classes, dataset.splits) == ("cvat", ("dog", "cat"), ("train",))
        assert (dataset.sources, dataset.ignored) == ((places,), ())
        assert objects.labels.tolist() == [1, 0, 0, 1]
        assert objects.boxes.tolist() == [[1.5, 2, 9, 8.25], [1, 1, 9, 9], [15, 12, 25, 18], [5, 5, 7, 6]]
        assert objects.attributes == ({"colour": "red"}, {}, {}, {})


def test_masks_of_cvat_are_runs_of_rows(tree: Tree) -> None:
    mask = '<mask label="cat" rle="1,2,0,1,2" left="4" top="5" width="3" height="2"/>'

    dataset = opening.open(tree({"a.jpg": PICTURE, "annotations.xml": cvat(mask)}), task="instance")

    found = dataset.scenes.objects(0).outlines[0].mask(30, 40)
    assert found[5:7, 4:7].tolist() == [[False, True, True], [True, False, False]]
    assert found.sum() == 3


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        (BOX.replace("/>", ' rotation="30"/>'), "rotated boxes are not read"),
        (BOX.replace("cat", "emu"), "there is no label 'emu'"),
        (BOX.replace("xbr", "x"), "<box> has no xbr"),
        ('<polyline label="cat" points="1,1;2,2"/>', "<polyline> is not read"),
        ('<polygon label="cat" points="1,1;2;3,3"/>', "'2' of points is no x and y"),
        ('<mask label="cat" rle="1,2" left="4" top="5" width="3" height="2"/>', "cover 3 pixels, not 3 × 2"),
        ('<mask label="cat" rle="6" left="39" top="5" width="3" height="2"/>', "does not lie in the picture"),
    ],
)
def test_mistakes_in_cvat_are_named_by_line(tree: Tree, shape: str, why: str) -> None:
    with pytest.raises(DataError) as raised:
        opening.open(tree({"a.jpg": PICTURE, "annotations.xml": cvat(BOX, shape)}))

    assert "set: annotations.xml, line 6: " in raised.value.message
    assert why in raised.value.message


def datumaro(*annotations: dict[str, Any]) -> str:
    rows = ",\n".join(map(json.dumps, annotations))
    labels = json.dumps({"label": {"labels": [{"name": "dog"}, {"name": "cat"}], "attributes": []}})
    picture = json.dumps({"path": "a.jpg", "size": [30, 40]})
    item = f'{{"id": "a", "image": {picture}, "annotations": [\n{rows}\n]}}'
    return f'{{"info": {{}}, "categories": {labels}, "items": [{item}]}}'


BBOX = {
    "type": "bbox",
    "label_id": 1,
    "bbox": [1, 2, 3, 4],
    "attributes": {"colour": "red", "is_crowd": False},
}


def test_shapes_of_datumaro(tree: Tree) -> None:
    mask = np.zeros((30, 40), bool)
    mask[4:9, 6:11] = True
    rle = {"counts": _rle.encoded(Runs.of(mask).counts), "size": [30, 40]}
    rows = [
        BBOX,
        {"type": "polygon", "label_id": 0, "points": [1, 1, 9, 1, 9, 9], "attributes": {"is_crowd": True}},
        {"type": "mask", "label_id": 0, "rle": rle},
    ]

    dataset = opening.open(tree({"images/train/a.jpg": PICTURE, "annotations/train.json": datumaro(*rows)}))
    objects = dataset.scenes.objects(0)

    assert (dataset.format, dataset.classes, dataset.splits) == ("datumaro", ("dog", "cat"), ("train",))
    assert (dataset.sources, dataset.ignored) == (("images/train/a.jpg",), ())
    assert objects.boxes.tolist() == [[1, 2, 4, 6], [1, 1, 9, 9], [6, 4, 11, 9]]
    assert objects.ignored.tolist() == [False, True, False]
    assert objects.attributes[0] == {"colour": "red"}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({**BBOX, "label_id": 2}, "there is no label 2"),
        ({**BBOX, "bbox": [1, 2]}, "'bbox' holds 2 numbers"),
        ({**BBOX, "type": "points"}, "annotations of type 'points' are not read"),
        ({"type": "mask", "label_id": 0}, "the mask has no 'rle'"),
        ({"type": "polygon", "label_id": 0, "points": [1, 2]}, "a polygon of 2 numbers"),
    ],
)
def test_mistakes_in_datumaro_are_named_by_line(tree: Tree, row: dict[str, Any], why: str) -> None:
    with pytest.raises(DataError) as raised:
        opening.open(tree({"images/a.jpg": PICTURE, "annotations/train.json": datumaro(BBOX, row)}))

    assert "set: annotations/train.json, line 3: " in raised.value.message
    assert why in raised.value.message
