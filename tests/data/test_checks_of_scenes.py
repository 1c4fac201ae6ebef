"""data.check on pictures with annotations: boxes, classes and maps, and nothing about one class each."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scenes
from bad_inputs.made import encoded, photo
from foveal import data
from foveal.core.types import Finding
from foveal.data import inventory
from foveal.data import split as splits
from foveal.data.annotated import annotated
from foveal.data.check import check
from foveal.flows.check import check as whole_check

HEADER = "path,label,xmin,ymin,xmax,ymax,split"
Boxes = Callable[..., Path]


@pytest.fixture
def boxes(tmp_path: Path) -> Boxes:
    """Return a function that writes pictures of 40 × 30 and a table of boxes on them."""

    def write(*lines: str, sizes: Mapping[str, tuple[int, int]] | None = None) -> Path:
        root = tmp_path / "set"
        root.mkdir()
        (root / "boxes.csv").write_text("\n".join([HEADER, *lines]))
        for place, name in enumerate(dict.fromkeys(line.split(",")[0] for line in lines)):
            width, height = (sizes or {}).get(name, (40, 30))
            (root / name).write_bytes(encoded(photo(height, width, seed=place)))
        return root

    return write


def look(root: Path) -> dict[str, Finding]:
    dataset = data.open(root)
    taken = inventory.take(dataset)
    split = splits.make(dataset, taken, seed=0)
    found = {}
    for finding in check(dataset, taken, split):
        assert finding.message.endswith((".", "?"))
        assert finding.hint.endswith(".")
        assert len(finding.examples) <= 10
        found[finding.code] = finding
    return found


GOOD = [
    f"{name}.png,{label},{k},2,{k + 12},20,{split}"
    for k, (name, label, split) in enumerate(
        [("a", "cat", "train"), ("b", "cat", "val"), ("c", "cat", "test"), ("d", "cat", "train")]
    )
]


def test_good_data_give_no_finding_though_there_is_one_class_alone(boxes: Boxes) -> None:
    assert look(boxes(*GOOD)) == {}


def test_boxes_without_width_or_height(boxes: Boxes) -> None:
    found = look(boxes(*GOOD, "a.png,cat,5,5,5,9,train", "a.png,cat,5,9,9,5,train"))

    assert set(found) == {"degenerate_boxes"}
    assert (found["degenerate_boxes"].severity, found["degenerate_boxes"].count) == ("warning", 2)
    assert found["degenerate_boxes"].examples[0] == "a.png: cat (5, 5, 5, 9)"
    assert "2 boxes of 6 without width or height" in found["degenerate_boxes"].message


def test_boxes_outside_and_beyond_the_edge(boxes: Boxes) -> None:
    found = look(
        boxes(
            *GOOD,
            "a.png,cat,41,5,50,15,train",
            "a.png,cat,10,-9,20,-1,train",
            "a.png,cat,30,5,42,20,train",
            "a.png,cat,20,10,41,31,train",  # within a pixel
        )
    )

    assert set(found) == {"boxes_outside", "boxes_beyond_edge"}
    assert (found["boxes_outside"].count, found["boxes_beyond_edge"].count) == (2, 1)
    assert "EXIF" not in found["boxes_outside"].message + found["boxes_beyond_edge"].message


def test_boxes_of_a_picture_before_it_was_turned_upright(boxes: Boxes) -> None:
    root = boxes(*GOOD, "t.jpg,cat,30,5,39,25,train")
    exif = Image.Exif()
    exif[0x0112] = 6
    (root / "t.jpg").write_bytes(encoded(Image.fromarray(photo(30, 40)), "JPEG", exif=exif))

    assert "1 of them would fit if the picture lay on its side" in look(root)["boxes_outside"].message


def test_boxes_that_are_there_twice(boxes: Boxes) -> None:
    found = look(boxes(*GOOD, GOOD[0], GOOD[0].replace("cat", "dog"), GOOD[1].replace("cat", "dog")))

    assert found["duplicate_boxes"].count == 1
    assert found["duplicate_boxes"].examples == ("a.png: cat (0, 2, 12, 20)",)


def test_objects_that_become_tiny(boxes: Boxes) -> None:
    found = look(boxes(*GOOD, "e.png,cat,5,5,25,25,train", sizes={"e.png": (1280, 100)}))

    assert found["tiny_objects"].examples == ("e.png: cat (5, 5, 25, 25)",)


def findings(root: Path) -> list[Finding]:
    dataset = data.open(root)
    return [one for one in check(dataset, inventory.take(dataset)) if one.code == "class_missing_in_split"]


def test_classes_that_a_split_lacks(boxes: Boxes) -> None:
    train, val = sorted(findings(boxes(*GOOD, "c.png,dog,1,1,30,20,test")), key=lambda one: one.severity)

    assert (train.severity, train.examples) == ("error", ("train/dog",))
    assert train.message == "train has no object of 'dog': nothing could teach it."
    assert (val.severity, val.examples) == ("warning", ("val/dog",))


def test_pictures_with_nothing_on_them_and_classes_with_nothing(boxes: Boxes) -> None:
    root = boxes(*GOOD, "e.png,,,,,,train")
    (root / "classes.txt").write_text("cat\nemu\n")

    found = look(root)

    assert set(found) == {"pictures_without_objects", "nothing_of_class"}
    assert found["pictures_without_objects"].examples == ("e.png",)
    assert (found["nothing_of_class"].severity, found["nothing_of_class"].examples) == ("warning", ("emu",))


def test_nothing_at_all_is_an_error(boxes: Boxes) -> None:
    root = boxes("a.png,,,,,,", "b.png,,,,,,", "c.png,,,,,,")
    (root / "classes.txt").write_text("cat\n")

    assert look(root)["nothing_annotated"].severity == "error"


def test_where_all_is_to_be_ignored_there_is_nothing_to_learn(tmp_path: Path) -> None:
    voc = scenes.write_voc(tmp_path / "voc", count=4)
    for path in (voc / "Annotations").iterdir():
        path.write_text(re.sub(r"<difficult>\d</difficult>", "<difficult>1</difficult>", path.read_text()))

    assert look(voc)["nothing_annotated"].severity == "error"


def test_one_object_alone_leaves_parts_of_a_training_without_any(boxes: Boxes) -> None:
    lines = ["p00.png,bolt,1,1,20,20,"] + [f"p{number:02}.png,,,,,," for number in range(1, 24)]

    dataset = data.open(boxes(*lines))
    taken = inventory.take(dataset)
    split = splits.make(dataset, taken, seed=0)
    found = [one for one in check(dataset, taken, split) if one.code == "nothing_in_role"]

    roles = {role: split.role(role).tolist() for role in ("fit", "calib", "test")}
    bare = [indices for indices in roles.values() if dataset.sources.index("p00.png") not in indices]
    assert [one.count for one in found] == [len(indices) for indices in bare]
    assert len(bare) == 2
    assert {one.severity for one in found} == {"error"}
    assert set(found[0].examples) <= {dataset.sources[index] for index in bare[0]}


def test_copies_with_other_annotations_conflict_and_copies_across_splits_are_an_error(boxes: Boxes) -> None:
    root = boxes(*GOOD)
    (root / "b.png").write_bytes((root / "a.png").read_bytes())

    found = look(root)

    assert found["duplicates_across_splits"].severity == "error"
    assert "with different annotations" in found["conflicting_labels"].message


def test_maps_that_do_not_fit_are_one_error(tmp_path: Path) -> None:
    values = {
        "a": np.zeros((30, 40)),
        "b": np.ones((30, 40)),
        "c": np.ones((30, 41)),
        "d": np.full((30, 40), 9),
    }
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for place, (name, value) in enumerate(values.items()):
        (tmp_path / f"images/{name}.png").write_bytes(encoded(photo(30, 40, seed=place)))
        (tmp_path / f"masks/{name}.png").write_bytes(encoded(value.astype(np.uint8)))
    (tmp_path / "classes.txt").write_text("sky\nroad\ntree\n")

    found = look(tmp_path)

    assert set(found) == {"unusable_annotations", "nothing_of_class"}
    assert (found["unusable_annotations"].severity, found["unusable_annotations"].count) == ("error", 2)
    assert found["unusable_annotations"].examples == (
        "masks/c.png: it is 41 × 30 pixels, and images/c.png is 40 × 30",
        "masks/d.png: 9 is a value without a class",
    )
    assert found["nothing_of_class"].examples == ("tree",)
    assert annotated(data.open(tmp_path)).counts.tolist() == [
        [1200, 0, 0],
        [0, 1200, 0],
        [0, 0, 0],
        [0, 0, 0],
    ]


def test_the_document_counts_objects_and_says_what_was_skipped(boxes: Boxes) -> None:
    root = boxes(*GOOD, "a.png,dog,1,1,20,20,train")

    document = whole_check(data.open(root)).as_json()

    assert (document["task"], document["format"]) == ("detect", "csv_boxes")
    assert document["objects"] == {"cat": 4, "dog": 1}
    assert (document["splits"], document["images"]) == ({"train": 2, "val": 1, "test": 1}, 4)
    assert {row["check"] for row in document["skipped"]} == {"statistics", "label_suspects"}
    assert document["statistics"] == document["label_suspects"] == []


def test_near_copies_are_still_looked_for(boxes: Boxes) -> None:
    root = boxes(*GOOD)
    pixels = photo(120, 160, seed=5)
    (root / "a.png").write_bytes(encoded(pixels))
    (root / "b.png").write_bytes(encoded(Image.fromarray(pixels).resize((120, 90))))

    document = whole_check(data.open(root)).as_json()

    assert [one["sources"] for one in document["near_duplicates"]] == [["a.png", "b.png"]]
    assert document["near_duplicates"][0]["labels"] == ["", ""]
    assert "near_duplicates_across_splits" in {row["code"] for row in document["findings"]}


def test_classified_data_count_no_objects(tmp_path: Path) -> None:
    for k, name in enumerate(("cat", "dog")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(encoded(photo(seed=k)))

    assert "objects" not in whole_check(data.open(tmp_path)).as_json()
