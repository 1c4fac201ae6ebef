"""data.formats.voc: corners that count from 1, lists of splits, and mistakes by line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bad_inputs.made import encoded
from foveal.core.errors import DataError
from foveal.data import inventory as inventories
from foveal.data import opening

Tree = Callable[..., Path]
PICTURE = (40, 30)


def xml(*objects: str, filename: str = "a.jpg") -> str:
    return "\n".join(["<annotation>", f"<filename>{filename}</filename>", *objects, "</annotation>"])


def thing(name: str, *sides: float, more: str = "") -> str:
    corners = "".join(
        f"<{key}>{side}</{key}>" for key, side in zip(("xmin", "ymin", "xmax", "ymax"), sides, strict=True)
    )
    return f"<object><name>{name}</name>{more}<bndbox>{corners}</bndbox></object>"


@pytest.mark.parametrize("folders", [("JPEGImages", "Annotations"), ("images", "annotations"), ("", "")])
def test_corners_count_from_one_and_lie_inside(tree: Tree, folders: tuple[str, str]) -> None:
    pictures, annotations = folders
    text = xml(thing("cat", 1, 1, 40, 30), thing("dog", 5, 6, 5, 9), thing("dog", 5, 6, 4, 6))
    root = tree({f"{pictures}/a.jpg".lstrip("/"): PICTURE, f"{annotations}/a.xml".lstrip("/"): text})

    dataset = opening.open(root)

    assert (dataset.format, dataset.task, dataset.classes) == ("voc", "detect", ("cat", "dog"))
    objects = dataset.scenes.objects(0)
    assert objects.boxes.tolist() == [[0, 0, 40, 30], [4, 5, 4, 9], [4, 5, 4, 5]]
    assert objects.labels.tolist() == [0, 1, 1]
    assert dataset.ignored == ()
    assert inventories.take(dataset).readable.all()


def test_the_same_in_a_zip(tree: Tree, zipped: Callable[[Path], Path]) -> None:
    root = tree({"JPEGImages/a.jpg": PICTURE, "Annotations/a.xml": xml(thing("cat", 1, 1, 4, 3))})

    dataset = opening.open(zipped(root))

    assert dataset.sources == ("JPEGImages/a.jpg",)
    assert dataset.scenes.objects(0).boxes.tolist() == [[0, 0, 4, 3]]


def test_lists_say_what_is_used_and_where(tree: Tree) -> None:
    content = {f"JPEGImages/{name}.jpg": PICTURE for name in "abcd"}
    content |= {f"Annotations/{name}.xml": xml(thing("cat", 1, 1, 4, 3)) for name in "abcd"}
    content |= {"ImageSets/Main/trainval.txt": "a\nb\n", "ImageSets/Main/test.txt": "c 1\n"}

    dataset = opening.open(tree(content))

    assert dict(zip(dataset.sources, dataset.splits, strict=True)) == {
        "JPEGImages/a.jpg": "train",
        "JPEGImages/b.jpg": "train",
        "JPEGImages/c.jpg": "test",
    }
    assert dataset.ignored == ("JPEGImages/d.jpg",)


@pytest.mark.parametrize("said", ["true", "2", "maybe"])
def test_an_object_is_difficult_or_not(tree: Tree, said: str) -> None:
    text = xml(thing("cat", 1, 1, 4, 3, more=f"<difficult>{said}</difficult>"))

    with pytest.raises(DataError, match=rf"a\.xml, line \d+: <difficult> is '{said}', neither 0 nor 1"):
        opening.open(tree({"a.jpg": PICTURE, "a.xml": text}))


def test_difficult_objects_are_ignored_ones_and_parts_are_no_objects(tree: Tree) -> None:
    part = "<part><name>head</name><bndbox><xmin>2</xmin></bndbox></part>"
    text = xml(thing("cat", 1, 1, 4, 3, more=f"<difficult>1</difficult>{part}"), thing("cat", 9, 9, 12, 12))

    objects = opening.open(tree({"a.jpg": PICTURE, "a.xml": text})).scenes.objects(0)

    assert objects.ignored.tolist() == [True, False]


def test_a_folder_with_splits(tree: Tree) -> None:
    content = {f"{split}/{split}.jpg": PICTURE for split in ("train", "valid")}
    content |= {f"{split}/{split}.xml": xml(thing("cat", 1, 1, 4, 3)) for split in ("train", "valid")}

    assert opening.open(tree(content)).splits == ("train", "val")


def test_a_picture_is_found_by_the_name_in_the_file_or_is_one_that_cannot_be_read(tree: Tree) -> None:
    root = tree(
        {
            "JPEGImages/b.jpg": PICTURE,
            "Annotations/1.xml": xml(thing("cat", 1, 1, 4, 3), filename="b.jpg"),
            "Annotations/2.xml": xml(thing("cat", 1, 1, 4, 3), filename="gone.jpg"),
        }
    )

    dataset = opening.open(root)

    assert dataset.sources == ("JPEGImages/b.jpg", "JPEGImages/gone.jpg")
    assert [error.code for error in inventories.take(dataset).error if error] == ["io_error"]


@pytest.mark.parametrize(
    ("lines", "line", "why"),
    [
        ([thing("cat", 1, 1, 4, 3), "<object><name>x</name></object>"], 4, "has no <bndbox>"),
        (["", "<object>", "<name> </name><bndbox/></object>"], 5, "has no <name>, or an empty one"),
        ([thing("cat", 1, 1, "nan", 3)], 3, "<xmax> is 'nan', not a number"),
        (["<object><name>a</name><bndbox><xmin>1</xmin></bndbox></object>"], 3, "<bndbox> has no <ymin>"),
        (["<object><name>a</name><robndbox/></object>"], 3, "rotated boxes are not read"),
        (["<object>", "</annotation>"], 4, "no XML: mismatched tag"),
        (["<a>" * 100], 3, "more than 64 deep"),
    ],
)
def test_mistakes_are_named_by_file_and_line(tree: Tree, lines: list[str], line: int, why: str) -> None:
    root = tree({"a.jpg": PICTURE, "a.xml": xml(*lines)})

    with pytest.raises(DataError, match=rf"set: a.xml, line {line}: ") as raised:
        opening.open(root)

    assert why in raised.value.message
    assert (raised.value.code, raised.value.exit_code) == ("bad_annotation", 65)


@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE a [<!ENTITY b "ccc">]>',
        '<!DOCTYPE a [<!ENTITY % b SYSTEM "file:///etc/passwd"> %b;]>',
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_entities_are_refused(tree: Tree, declared: str) -> None:
    root = tree({"a.jpg": PICTURE, "a.xml": f"{declared}\n<annotation>&b;</annotation>"})

    with pytest.raises(DataError, match=r"a.xml, line 1: it declares entities"):
        opening.open(root)


def test_mistakes_in_lists_are_named(tree: Tree) -> None:
    content = {"JPEGImages/a.jpg": PICTURE, "Annotations/a.xml": xml(thing("cat", 1, 1, 4, 3))}

    with pytest.raises(DataError, match=r"ImageSets/Main/train.txt, line 3: 'b' is not there"):
        opening.open(tree({**content, "ImageSets/Main/train.txt": "a\n\nb\n"}, name="one"))
    lists = {"ImageSets/Main/train.txt": "a\n", "ImageSets/Main/val.txt": "a\n"}
    with pytest.raises(DataError, match=r"ImageSets/Main/val.txt, line 1: 'a' is in train, too"):
        opening.open(tree({**content, **lists}, name="two"))


def test_a_list_of_classes_orders_them_and_must_have_all(tree: Tree) -> None:
    content = {"a.jpg": PICTURE, "a.xml": xml(thing("cat", 1, 1, 4, 3))}

    assert opening.open(tree({**content, "classes.txt": "dog\ncat\n"}, name="one")).classes == ("dog", "cat")
    with pytest.raises(DataError, match=r"classes.txt: objects are of class 'cat', which it does not list"):
        opening.open(tree({**content, "classes.txt": "dog\n"}, name="two"))


def test_maps_of_objects_are_their_outlines_and_maps_of_classes_are_another_task(tree: Tree) -> None:
    values = np.zeros((30, 40), np.uint8)
    values[0:10, 0:10], values[5:15, 20:30], values[0, 39] = 1, 2, 255
    root = tree(
        {
            "JPEGImages/a.jpg": PICTURE,
            "JPEGImages/b.jpg": PICTURE,
            "Annotations/a.xml": xml(thing("cat", 1, 1, 10, 10), thing("dog", 21, 6, 30, 15)),
            "Annotations/b.xml": xml(filename="b.jpg"),
            "SegmentationObject/a.png": values,
            "SegmentationClass/a.png": values * np.uint8(3),
        }
    )

    dataset = opening.open(root, task="instance")

    assert (dataset.format, dataset.scenes.tasks, dataset.ignored) == ("voc", ("detect", "instance"), ())
    objects = dataset.scenes.objects(0)
    for outline, box in zip(objects.outlines, objects.boxes.tolist(), strict=True):
        assert outline.box == tuple(box)
    assert dataset.truths[0] != opening.open(root).truths[1]
    segments = opening.open(root, task="segment")
    assert (segments.format, segments.sources) == ("class_maps", ("JPEGImages/a.jpg",))
    (root / "SegmentationObject/a.png").write_bytes(encoded(values * np.uint8(3)))
    with pytest.raises(DataError, match=r"SegmentationObject/a.png: there is no object 3: 2 are annotated"):
        opening.open(root, task="instance").scenes.objects(0)
