"""data.formats.csv_boxes: columns by any usual name, pictures with nothing on them, groups, mistakes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from foveal.core.errors import DataError
from foveal.data import opening

Tree = Callable[..., Path]
PICTURES = {f"shots/{name}.jpg": (40, 30) for name in "abc"}


@pytest.mark.parametrize(
    ("header", "separator"),
    [
        ("path,label,xmin,ymin,xmax,ymax", ","),
        ("filename;class;left;top;right;bottom", ";"),
        ("Image\tLabel\tX1\tY1\tX2\tY2", "\t"),
    ],
)
def test_columns_are_found_by_usual_names(tree: Tree, header: str, separator: str) -> None:
    lines = [header, *(["shots/a.jpg,cat,1,2,3,4.5", "shots/a.jpg,dog,5,6,7,8", "shots/b.jpg,,,,,"])]
    text = "\n".join([lines[0], *(line.replace(",", separator) for line in lines[1:])])

    dataset = opening.open(tree({**PICTURES, "boxes.csv": text}))

    assert (dataset.format, dataset.classes) == ("csv_boxes", ("cat", "dog"))
    assert dataset.sources == ("shots/a.jpg", "shots/b.jpg")
    assert dataset.scenes.objects(0).boxes.tolist() == [[1, 2, 3, 4.5], [5, 6, 7, 8]]
    assert len(dataset.scenes.objects(1)) == 0
    assert dataset.ignored == ("shots/c.jpg",)


def test_the_table_may_be_named_itself_and_its_folders_are_the_data(tree: Tree) -> None:
    root = tree({**PICTURES, "boxes.csv": "path,label,xmin,ymin,xmax,ymax\nshots/a.jpg,cat,1,2,3,4\n"})

    assert opening.open(root / "boxes.csv").format == "csv_boxes"
    assert opening.places(root / "boxes.csv") == [root / "boxes.csv", root / "shots"]


def test_splits_and_groups_are_columns(tree: Tree) -> None:
    lines = [
        f"shots/{name}.jpg,cat,1,2,3,4,{split},{group}"
        for name, split, group in (("a", "train", "x"), ("b", "Testing", "y"), ("c", "train", "x"))
    ]
    text = "\n".join(["path,label,xmin,ymin,xmax,ymax,split,group", *lines])

    dataset = opening.open(tree({**PICTURES, "boxes.csv": text}))

    assert dataset.splits == ("train", "test", "train")
    assert dataset.groups == ("group x", "group y", "group x")
    assert dataset.grouped_by == ("group",)
    assert opening.open(dataset.path, group="none").groups is None
    assert opening.open(dataset.path, group=r"(\w)\.jpg").groups == ("group a", "group b", "group c")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("../a.jpg,cat,1,2,3,4", "'../a.jpg' is no path below the table's folder"),
        ("shots/b.jpg,cat,1,2,3", "5 cells under 6 columns"),
        ("shots/b.jpg,,1,2,3,4", "the box has no label"),
        ("shots/b.jpg,cat,1,2,x,4", "'x' is no number of pixels"),
        ("shots/b.jpg,cat,1,2,,4", "'' is no number of pixels"),
        ("shots/a.jpg,,,,,", "'shots/a.jpg' has no box here, but other lines have one"),
    ],
)
def test_mistakes_are_named_by_line(tree: Tree, line: str, why: str) -> None:
    text = f"path,label,xmin,ymin,xmax,ymax\nshots/a.jpg,cat,1,2,3,4\n{line}\n"

    with pytest.raises(DataError) as raised:
        opening.open(tree({**PICTURES, "boxes.csv": text}))

    assert "set: boxes.csv, line 3: " in raised.value.message
    assert why in raised.value.message
    assert raised.value.code == "bad_annotation"


def test_a_manifest_stays_a_manifest(tree: Tree) -> None:
    text = "path,label\n" + "".join(f"shots/{name}.jpg,{name}\n" for name in "abc")

    assert opening.open(tree({**PICTURES, "boxes.csv": text})).format == "csv_manifest"
