"""`foveal data convert` of annotations: what is written is what is read again, or it is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scenes
from bad_inputs.made import encoded, photo
from foveal.cli._main import run
from foveal.core.errors import DataError, UsageError
from foveal.data import opening
from foveal.data.dataset import Dataset
from foveal.data.formats._scenes import One, Shot, object_dataset
from foveal.data.outline import Polygons, Runs
from foveal.data.tree import folder_tree
from foveal.flows.data_convert import convert

SIZES = {"train/a.png": (40, 30), "train/b.png": (17, 23), "val/a.png": (64, 48), "val/c.png": (9, 9)}
CLASSES = ("dog", "it's a cat: yes", "nothing")


def made(folder: Path, objects: dict[str, list[One]], *, splits: bool = True) -> Dataset:
    for place, (name, (width, height)) in enumerate(SIZES.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encoded(photo(height, width, seed=place)))
    shots = [Shot(name, name.partition("/")[0] if splits else "", objects.get(name, [])) for name in SIZES]
    return object_dataset("coco", folder_tree(folder), shots, CLASSES, None, [])


def compare(before: Dataset, after: Dataset, *, within: float) -> None:
    """Assert that two data sets say the same of the same pictures, sides to so many pixels."""
    places = {before.read(i).content: i for i in range(len(before))}
    assert len(places) == len(before) == len(after)
    assert before.scenes is not None
    assert after.scenes is not None
    assert after.ignored == ()
    for j in range(len(after)):
        i = places[after.read(j).content]
        assert before.splits[i] == after.splits[j]
        old, new = before.scenes.objects(i), after.scenes.objects(j)
        assert [before.classes[k] for k in old.labels] == [after.classes[k] for k in new.labels]
        np.testing.assert_allclose(old.boxes, new.boxes, rtol=0, atol=within)
        assert old.ignored.tolist() == new.ignored.tolist()


BOXES = {
    "train/a.png": [One((1.25, 2, 30.5, 29), CLASSES[0]), One((0, 0, 40, 30), CLASSES[1])],
    "train/b.png": [One((5, 6, 5, 9), CLASSES[0]), One((-3, 2, 20, 4.004), CLASSES[1])],
    "val/a.png": [One((10, 10, 12.5, 11.75), CLASSES[0])],
}


@pytest.mark.parametrize("to", ["coco", "yolo", "voc"])
@pytest.mark.parametrize("splits", [True, False])
def test_boxes_come_back(tmp_path: Path, to: str, splits: bool) -> None:
    dataset = made(tmp_path / "from", BOXES, splits=splits)

    document = convert(dataset, tmp_path / "to", to=to)
    again = opening.open(tmp_path / "to")

    assert (again.format, again.task, again.classes) == (to, "detect", CLASSES)
    assert document["images"] == 4
    assert document["left_out"] == []
    compare(dataset, again, within=0.0101 if to != "yolo" else 64e-6)


def test_outlines_and_what_else_is_said_come_back_from_coco(tmp_path: Path) -> None:
    mask = np.zeros((30, 40), bool)
    mask[3:20, 5:33] = np.random.default_rng(0).random((17, 28)) < 0.5
    rings = tuple(
        np.array(ring, np.float32) for ring in ([[1, 1], [9, 1], [9.25, 9]], [[20, 20], [30, 20], [30, 28]])
    )
    objects = [
        One((5, 3, 33, 20), CLASSES[0], True, Runs.of(mask), {"colour": "red"}),
        One((1, 1, 30, 28), CLASSES[1], False, Polygons(rings), {}),
    ]
    dataset = made(tmp_path / "from", {"train/a.png": objects})

    convert(dataset, tmp_path / "to", to="coco")
    again = opening.open(tmp_path / "to", task="instance")

    compare(dataset, again, within=0)
    found = again.scenes.objects(list(again.sources).index("train/a.png"))
    assert (found.outlines[0].mask(30, 40) == mask).all()
    assert [ring.tolist() for ring in found.outlines[1].rings] == [ring.tolist() for ring in rings]
    assert found.attributes == ({"colour": "red"}, {})
    assert dataset.truths == again.truths


@pytest.mark.parametrize(
    ("to", "lost"), [("coco", []), ("yolo", ["colour", "type"]), ("voc", ["colour", "type"])]
)
def test_what_has_no_place_in_a_layout_is_named(
    tmp_path: Path, to: str, lost: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    said = ({"colour": "red"}, {}, {"type": "van", "colour": "blue"})
    objects = [One((1, 1, 9, 9), CLASSES[0], attributes=one) for one in said]
    convert(made(tmp_path / "from", {"train/a.png": objects}), tmp_path / "source", to="coco")

    assert (
        run(["data", "convert", str(tmp_path / "source"), str(tmp_path / "json"), "--to", to, "--json"]) == 0
    )
    assert json.loads(capsys.readouterr().out)["not_written"] == lost
    assert run(["data", "convert", str(tmp_path / "source"), str(tmp_path / "words"), "--to", to]) == 0
    assert ("no place for it: colour, type" in capsys.readouterr().out) == bool(lost)


def test_outlines_come_back_from_yolo_where_that_is_what_is_asked_for(tmp_path: Path) -> None:
    outline = Polygons((np.array([[1, 1], [9, 1], [9.25, 9]], np.float32),))
    source = tmp_path / "coco"
    convert(
        made(tmp_path / "from", {"train/a.png": [One(outline.box, CLASSES[0], outline=outline)]}),
        source,
        to="coco",
    )

    convert(opening.open(source, task="instance"), tmp_path / "instance", to="yolo")
    convert(opening.open(source), tmp_path / "detect", to="yolo")

    again = opening.open(tmp_path / "instance", task="instance")
    place = list(again.sources).index("images/train/a.png")
    np.testing.assert_allclose(again.scenes.objects(place).outlines[0].rings[0], outline.rings[0], atol=1e-4)
    assert opening.open(tmp_path / "detect").scenes.tasks == ("detect",)


@pytest.mark.parametrize(
    ("to", "one", "why"),
    [
        ("yolo", One((1, 1, 5, 5), CLASSES[0], ignored=True), "cannot say that an object is to be ignored"),
        ("yolo", One((1, 1, 500, 5), CLASSES[0]), "more than a picture away"),
        ("voc", One((1, 1, 1.5, 5), CLASSES[0]), "a box of at most one pixel would have none in VOC"),
    ],
)
def test_what_a_layout_cannot_hold_is_refused_and_nothing_is_left(
    tmp_path: Path, to: str, one: One, why: str
) -> None:
    dataset = made(tmp_path / "from", {"train/a.png": [one]})

    with pytest.raises(DataError, match=why) as raised:
        convert(dataset, tmp_path / "to", to=to)

    assert raised.value.code == "cannot_hold"
    assert raised.value.message.startswith("train/a.png: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["from"]


def test_layouts_of_other_tasks_are_refused(tmp_path: Path) -> None:
    dataset = made(tmp_path / "from", BOXES)

    with pytest.raises(UsageError, match=r"npz holds what is for classify; .* is read for detect") as raised:
        convert(dataset, tmp_path / "to", to="npz")

    assert (raised.value.code, raised.value.hint) == ("other_task", "--to coco or voc or yolo")


def test_of_panoptic_data_the_parts_that_can_be_written_are_named(tmp_path: Path) -> None:
    maps = scenes.write_maps(tmp_path / "maps", count=2)
    dataset = opening.open(maps, task="panoptic", things=opening.open(maps).classes[1:2])

    with pytest.raises(UsageError, match="is read for panoptic") as raised:
        convert(dataset, tmp_path / "coco", to="coco")

    assert raised.value.hint == "--task segment --to class_maps"
    convert(opening.open(maps, task="segment"), tmp_path / "again", to="class_maps")


def test_groups_are_written_too(tmp_path: Path) -> None:
    dataset = made(tmp_path / "from", BOXES)
    (tmp_path / "from/groups.csv").write_text("picture,group\ntrain/a.png,x\ntrain/b.png,x\n")
    grouped = object_dataset(
        "coco", folder_tree(tmp_path / "from"), [Shot(name, "", []) for name in SIZES], CLASSES, None, []
    )

    convert(grouped, tmp_path / "to", to="coco")

    assert len(dataset) == 4
    assert opening.open(tmp_path / "to").groups.count("group x") == 2


def test_class_maps_come_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("train/images/a", "val/images/b"):
        path = tmp_path / "from" / f"{name}.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(encoded(photo(6, 8, seed=len(name))))
        values = rng.choice(np.array([0, 3, 7, 255], np.uint8), (6, 8))
        mask = tmp_path / "from" / f"{name.replace('images', 'masks')}.png"
        mask.parent.mkdir(parents=True)
        mask.write_bytes(encoded(values))
    (tmp_path / "from/classes.txt").write_text("0 sky\n3 road\n7 tree\n")
    dataset = opening.open(tmp_path / "from")

    convert(dataset, tmp_path / "to", to="class_maps")
    again = opening.open(tmp_path / "to")

    assert (again.classes, again.splits, again.ignored) == (("sky", "road", "tree"), ("train", "val"), ())
    for i in range(2):
        assert (again.scenes.regions(i) == dataset.scenes.regions(i)).all()
        assert again.read(i).content == dataset.read(i).content


def test_pictures_that_cannot_be_read_are_left_out_and_named(tmp_path: Path) -> None:
    dataset = made(tmp_path / "from", BOXES)
    (tmp_path / "from/train/a.png").write_bytes(b"x")

    document = convert(dataset, tmp_path / "to", to="yolo")

    assert [row["source"] for row in document["left_out"]] == ["train/a.png"]
    assert len(opening.open(tmp_path / "to")) == 3


def test_blood_cells_from_the_command_line(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for to in ("coco", "yolo", "voc"):
        assert (
            run(["data", "convert", str(shared / "data/bccd"), str(tmp_path / to), "--to", to, "--json"]) == 0
        )
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert (document["images"], document["splits"]) == (292, {"val": 87, "train": 205})
        compare(opening.open(shared / "data/bccd"), opening.open(tmp_path / to), within=640e-6)


def test_the_task_can_be_named(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(shared / "data/pennfudanped")

    assert run(["data", "convert", source, str(tmp_path / "a"), "--to", "yolo", "--task", "detect"]) == 0
    assert run(["data", "convert", source, str(tmp_path / "b"), "--to", "yolo", "--json"]) == 65
    error = json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
    assert error["code"] == "cannot_hold"
    assert "one polygon" in error["message"]
