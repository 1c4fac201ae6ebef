"""data.formats.yolo: shares become pixels, what data.yaml says, and mistakes by line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bad_inputs.made import encoded, photo
from foveal.core.errors import DataError
from foveal.data import opening
from foveal.data.formats._yaml import read_yaml
from foveal.data.tree import folder_tree

Tree = Callable[..., Path]
NAMES = "names: ['cat', 'dog']\n"


def test_shares_become_pixels(tree: Tree) -> None:
    root = tree({"data.yaml": NAMES, "images/a.jpg": (40, 20), "labels/a.txt": "1 0.5 0.5 0.5 1\n"})

    dataset = opening.open(root)

    assert (dataset.format, dataset.scenes.tasks, dataset.classes) == ("yolo", ("detect",), ("cat", "dog"))
    assert dataset.scenes.objects(0).boxes.tolist() == [[10, 0, 30, 20]]
    assert dataset.scenes.objects(0).labels.tolist() == [1]
    assert dataset.ignored == ()


def test_shares_are_those_of_the_upright_picture(tree: Tree) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = encoded(Image.fromarray(photo(20, 40)), "JPEG", exif=exif)
    root = tree({"data.yaml": NAMES, "images/a.jpg": picture, "labels/a.txt": "0 0.5 0.5 1 1"})

    assert opening.open(root).scenes.objects(0).boxes.tolist() == [[0, 0, 20, 40]]


def test_a_line_of_corners_is_an_outline_also_with_four(tree: Tree) -> None:
    lines = "0 0.1 0.1 0.9 0.1 0.9 0.9\n1 0 0 0.5 0 0.5 0.5 0 0.5\n"
    root = tree({"data.yaml": NAMES, "images/a.jpg": (40, 20), "labels/a.txt": lines})

    dataset = opening.open(root, task="instance")
    objects = dataset.scenes.objects(0)

    np.testing.assert_allclose(objects.boxes, [[4, 2, 36, 18], [0, 0, 20, 10]], rtol=1e-6)
    assert objects.outlines[1].mask(20, 40).sum() == 200


def test_a_picture_without_a_text_has_nothing_on_it(tree: Tree) -> None:
    root = tree(
        {"data.yaml": NAMES, "images/a.jpg": (9, 9), "images/b.jpg": (9, 9), "labels/a.txt": "0 .5 .5 1 1"}
    )

    assert [len(opening.open(root).scenes.objects(i)) for i in range(2)] == [1, 0]


@pytest.mark.parametrize(
    ("keys", "places"),
    [
        ("train: images/train\nval: images/val\n", ("images/{}/{}.jpg", "labels/{}/{}.txt")),
        ("train: ../train/images\nval: ../valid/images\n", ("{0}/images/{1}.jpg", "{0}/labels/{1}.txt")),
        (
            "path: /home/me/set\ntrain: images/train\nval: [images/val]\n",
            ("images/{}/{}.jpg", "labels/{}/{}.txt"),
        ),
        ("", ("images/{}/{}.jpg", "labels/{}/{}.txt")),
    ],
)
def test_splits(tree: Tree, keys: str, places: tuple[str, str]) -> None:
    content: dict[str, object] = {"data.yaml": keys + NAMES}
    for split, name in (("train", "a"), ("valid" if "valid" in keys else "val", "b")):
        content[places[0].format(split, name)] = (9, 9)
        content[places[1].format(split, name)] = "0 .5 .5 1 1"

    assert opening.open(tree(content)).splits == ("train", "val")


def test_lists_of_pictures(tree: Tree) -> None:
    content = {"data.yaml": "train: train.txt\nval: val.txt\n" + NAMES}
    content |= {f"images/{name}.jpg": (9, 9) for name in "abc"}
    content |= {f"labels/{name}.txt": "0 .5 .5 1 1" for name in "abc"}
    lists = {"train.txt": "./images/a.jpg\n", "val.txt": "/home/me/set/images/b.jpg\n"}

    dataset = opening.open(tree({**content, **lists}))

    assert (dataset.sources, dataset.splits) == (("images/a.jpg", "images/b.jpg"), ("train", "val"))
    assert dataset.ignored == ("images/c.jpg", "labels/c.txt")
    with pytest.raises(DataError, match=r"val.txt, line 2: 'images/z.jpg' is not there"):
        opening.open(tree({**content, **lists, "val.txt": "images/b.jpg\nimages/z.jpg"}, name="two"))


def test_classes_txt_does_where_there_is_no_yaml(tree: Tree) -> None:
    root = tree({"classes.txt": "cat\ndog\n", "a.jpg": (9, 9), "a.txt": "1 .5 .5 1 1"})

    dataset = opening.open(root)

    assert (dataset.format, dataset.classes, dataset.ignored) == ("yolo", ("cat", "dog"), ())


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("2 .5 .5 1 1", "there is no class 2: 2 are named"),
        ("0.5 .5 .5 1 1", "there is no class 0.5"),
        ("0 .5 .5 1", "4 numbers; a box has 5"),
        ("0 .5 .5 1 1 .9", "6 numbers; a box has 5"),
        ("0 .5 .5 1 x", "'x' is no number"),
        ("0 .5 .5 1 inf", "'inf' is no number"),
        ("0 20 10 30 15", "it is in pixels"),
    ],
)
def test_mistakes_are_named_by_file_and_line(tree: Tree, line: str, why: str) -> None:
    root = tree({"data.yaml": NAMES, "images/a.jpg": (9, 9), "labels/a.txt": f"0 .5 .5 1 1\n\n{line}\n"})

    with pytest.raises(DataError) as raised:
        opening.open(root)

    assert "set: labels/a.txt, line 3: " in raised.value.message
    assert why in raised.value.message
    assert raised.value.code == "bad_annotation"


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("nc: 3\n" + NAMES, 1, "nc is 3, but there are 2 names"),
        ("\nnames:\n  0: cat\n  2: dog\n", 2, "do not go from 0 on without gaps"),
        ("names: [cat, cat]\n", 1, "'cat' is there twice"),
        ("names: 7\n", 1, "neither a list of names nor a map"),
        (NAMES + "kpt_shape: [17, 3]\n", 2, "key points are not read"),
        (NAMES + "task: obb\n", 2, "rotated boxes are not read"),
        (NAMES + "train: images/gone\n", 2, "the folder 'images/gone' is not there"),
        (NAMES + "a: &b c\n", 2, "YAML that is not read here"),
        (NAMES + "a: !!python/object:os.system\n", 2, "YAML that is not read here"),
        (NAMES + "a:\n  b:\n    c: d\n", 4, "only one level"),
        (NAMES + "a: [1, 2\n", 2, "a bracket is not closed"),
        (NAMES + "what\n", 2, "is no key with a colon"),
        (NAMES + "\tb: 1\n", 2, "begins with a tab"),
        (NAMES + NAMES, 2, "the key 'names' is on line 1, too"),
    ],
)
def test_mistakes_in_the_yaml_are_named_by_line(tree: Tree, text: str, line: int, why: str) -> None:
    root = tree({"data.yaml": text, "images/a.jpg": (9, 9), "labels/a.txt": "0 .5 .5 1 1"})

    with pytest.raises(DataError) as raised:
        opening.open(root)

    assert f"set: data.yaml, line {line}: " in raised.value.message
    assert why in raised.value.message


def test_yaml_as_tools_write_it(tree: Tree) -> None:
    text = """# Ultralytics
path: ../datasets/coco8  # dataset root dir
train: images/train # 4 images
test: # optional
nc: 3
names:
  0: person
  1: "traffic light"
  2: 'it''s'
flow: {0: a, 1: 'b: c',}
several: [a, "b, c",
  d]
listed:
- x
- y z
roboflow:
  url: https://universe.roboflow.com/x#y
download: |
  from pathlib import Path
  x = [1, 'unbalanced
after: 1
"""
    found = read_yaml(folder_tree(tree({"data.yaml": text})), "data.yaml")

    assert {key: value.value for key, value in found.items()} == {
        "path": "../datasets/coco8",
        "train": "images/train",
        "test": "",
        "nc": "3",
        "names": {"0": "person", "1": "traffic light", "2": "it's"},
        "flow": {"0": "a", "1": "b: c"},
        "several": ["a", "b, c", "d"],
        "listed": ["x", "y z"],
        "roboflow": {"url": "https://universe.roboflow.com/x#y"},
        "after": "1",
    }
