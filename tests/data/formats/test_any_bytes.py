"""Whatever lies where annotations should be, a reader answers with a data set or with an error of ours."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bad_inputs.made import encoded
from foveal.core.errors import FovealError
from foveal.data import opening

Tree = Callable[..., Path]
VOC = (
    "<annotation><filename>a.png</filename><size><width>9</width></size><object><name>cat</name>"
    "<difficult>0</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>5</xmax><ymax>6</ymax></bndbox>"
    "</object></annotation>"
)
COCO = json.dumps(
    {
        "images": [{"id": 1, "file_name": "a.png", "width": 9, "height": 9}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "bbox": [1, 2, 3, 4],
                "segmentation": [[1, 1, 2, 2, 3, 1]],
            },
            {"id": 2, "image_id": 1, "category_id": 1, "segmentation": {"size": [9, 9], "counts": "X1Y1"}},
        ],
        "categories": [{"id": 1, "name": "cat"}],
    }
)
LABELME = json.dumps(
    {
        "shapes": [
            {"label": "cat", "points": [[1, 1], [2, 2], [3, 1]], "shape_type": "polygon", "group_id": 1}
        ],
        "imagePath": "a.png",
    }
)
CVAT = (
    '<annotations><meta><task><labels><label><name>cat</name></label></labels></task></meta><image id="0" '
    'name="a.png" width="9" height="9"><mask label="cat" rle="1,2,3" left="0" top="0" width="3" height="2"/>'
    '<polygon label="cat" points="1,1;2,2;3,1"/></image></annotations>'
)
DATUMARO = json.dumps(
    {
        "categories": {"label": {"labels": [{"name": "cat"}]}},
        "items": [
            {
                "id": "a",
                "annotations": [{"type": "bbox", "label_id": 0, "bbox": [1, 2, 3, 4]}],
                "image": {"path": "a.png", "size": [9, 9]},
            }
        ],
    }
)
FILES = {
    "voc": ("a.xml", VOC),
    "coco": ("instances.json", COCO),
    "labelme": ("a.json", LABELME),
    "cvat": ("annotations.xml", CVAT),
    "datumaro": ("annotations/train.json", DATUMARO),
    "yolo": ("data.yaml", "path: x\nnames: {0: cat, 1: 'a b'}\nnc: 2 # two\n"),
    "csv_boxes": ("boxes.csv", "path,label,xmin,ymin,xmax,ymax\na.png,cat,1,2,3,4\n"),
    "class_maps": ("classes.json", '{"cat": [1, 2, 3], "dog": [0, 0, 0]}'),
}
VALUES = (
    "null",
    "-1",
    "1e400",
    '"x"',
    "[]",
    "{}",
    "[[]]",
    "true",
    "99999999999999999999",
    "0.5",
    '"\\ud800"',
)


def mutated(text: str, rng: np.random.Generator) -> bytes:
    """Return a text with some of it cut, doubled, or put in place of something else."""
    content = bytearray(text.encode())
    for _ in range(rng.integers(1, 4)):
        place = int(rng.integers(0, len(content) + 1))
        length = int(rng.integers(0, 12))
        kind = rng.integers(0, 5)
        if kind == 0:
            del content[place : place + length]
        elif kind == 1:
            content[place:place] = content[place : place + length]
        elif kind == 2:
            content[place : place + 1] = rng.integers(0, 256, 1).astype(np.uint8).tobytes()
        elif kind == 3:
            content[place : place + length] = str(rng.choice(VALUES)).encode()
        else:
            content[place:place] = str(
                rng.choice(["{", "}", "[", "]", "<", ">", "&", ":", ",", "\n", "-"])
            ).encode()
        content = content or bytearray(b" ")
    return bytes(content)


@pytest.mark.parametrize("layout", FILES)
def test_no_text_makes_a_reader_fail_otherwise(tree: Tree, layout: str) -> None:
    rng = np.random.default_rng(sum(map(ord, layout)))
    name, text = FILES[layout]
    picture = encoded(np.zeros((9, 9, 3), np.uint8))
    root = tree({"a.png": picture, "images/a.png": picture, "a.txt": "0 .5 .5 1 1", "masks/a.png": picture})
    if layout != "class_maps":
        (root / "masks/a.png").unlink()
        (root / "masks").rmdir()
    (root / name).parent.mkdir(exist_ok=True)
    opened = 0
    for _ in range(150):
        (root / name).write_bytes(mutated(text, rng))
        with contextlib.suppress(FovealError):
            dataset = opening.open(root, layout)
            opened += 1
            for i in range(len(dataset)):
                dataset.scenes.objects(i)
                if dataset.scenes.regions is not None:
                    dataset.scenes.regions(i)
            assert len(dataset.truths) == len(dataset)

    assert 0 < opened < 150


@pytest.mark.parametrize("text", ["0 .5 .5 1 1", "1 0 0 1 0 1 1"])
def test_no_line_of_yolo_makes_it_fail_otherwise(tree: Tree, text: str) -> None:
    rng = np.random.default_rng(0)
    picture = encoded(np.zeros((9, 9, 3), np.uint8))
    root = tree({"data.yaml": "names: [a, b]", "images/a.png": picture, "labels/a.txt": text})
    refused = []
    for _ in range(150):
        (root / "labels/a.txt").write_bytes(mutated(text, rng))
        try:
            objects = opening.open(root, "yolo").scenes.objects(0)
        except FovealError as error:
            refused.append(error.exit_code)
        else:
            assert np.isfinite(objects.boxes).all()

    assert 0 < len(refused) < 150
    assert set(refused) == {65}
