"""data.formats.mvtec and defect_folders: parts that are good or have a defect, and masks that say where."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from foveal.core.errors import DataError, UnknownNameError, UsageError
from foveal.data import opening
from foveal.data.scene import VOID

Tree = Callable[..., Path]
SIZE = (3, 2)
HOLE = np.array([[0, 127, 128], [255, 0, 0]], np.uint8)
MARKED = [[0, 0, 1], [1, 0, 0]]
EMPTY = np.zeros((2, 3), np.uint8)
FOLDERS = {
    "MT_Free/Imgs/a.jpg": SIZE,
    "MT_Free/Imgs/a.png": EMPTY,
    "plain/b.jpg": SIZE,
    "hole/c.jpg": SIZE,
    "hole/c.png": HOLE,
    "hole/d.jpg": SIZE,
    "scratch/e.png": SIZE,
    "scratch/e_mask.png": (HOLE > 127).astype(np.uint8),
}
MVTEC = {
    "train/good/0.png": SIZE,
    "test/good/0.png": SIZE,
    "test/hole/0.png": SIZE,
    "ground_truth/hole/0_mask.png": HOLE,
    "license.txt": "free",
}


def regions(root: Path, **named: object) -> dict[str, list[list[int]]]:
    dataset = opening.open(root, task="defect", **named)
    return {source: dataset.scenes.regions(i).tolist() for i, source in enumerate(dataset.sources)}


def test_folders_are_kinds_and_what_masks_leave_empty_is_good(tree: Tree) -> None:
    dataset = opening.open(tree(FOLDERS), task="defect")

    assert (dataset.format, dataset.task) == ("defect_folders", "defect")
    assert dataset.classes == ("good", "hole", "plain", "scratch")
    assert dict(zip(dataset.sources, dataset.labels.tolist(), strict=True)) == {
        "MT_Free/Imgs/a.jpg": 0, "hole/c.jpg": 1, "hole/d.jpg": 1, "plain/b.jpg": 2, "scratch/e.png": 3,
    }  # fmt: skip
    assert dataset.ignored == ()
    assert set(dataset.scenes.files) == {"MT_Free/Imgs/a.png", "hole/c.png", "scratch/e_mask.png"}


def test_a_mask_marks_what_is_above_half_and_nothing_is_known_without_one(tree: Tree) -> None:
    found = regions(tree(FOLDERS))

    assert found["MT_Free/Imgs/a.jpg"] == [[0] * 3] * 2
    assert found["hole/c.jpg"] == MARKED
    assert found["hole/d.jpg"] == [[VOID] * 3] * 2
    assert found["scratch/e.png"] == (np.array(MARKED) * 3).tolist()


def test_an_empty_mask_in_a_folder_of_defects_says_nothing_of_where(tree: Tree) -> None:
    found = regions(tree({**FOLDERS, "hole/d.png": EMPTY}))

    assert found["hole/d.jpg"] == [[VOID] * 3] * 2


def test_what_is_named_good_is_good(tree: Tree) -> None:
    root = tree(FOLDERS)
    dataset = opening.open(root, task="defect", good=["plain"])

    assert dataset.classes == ("good", "hole", "scratch")
    assert regions(root, good=["plain"])["plain/b.jpg"] == [[0] * 3] * 2
    assert regions(root, good=["plain"])["scratch/e.png"] == (np.array(MARKED) * 2).tolist()
    assert dataset.truths != opening.open(root, task="defect").truths
    with pytest.raises(UnknownNameError, match="other"):
        opening.open(root, task="defect", good=["other"])
    with pytest.raises(DataError, match=r"hole/c.jpg: its mask marks a defect") as raised:
        regions(root, good=["hole", "plain"])
    assert raised.value.code == "bad_annotation"
    with pytest.raises(DataError, match="says nothing of defects"):
        opening.open(root, good=["plain"])


def test_nothing_changes_where_no_task_is_named(tree: Tree) -> None:
    assert opening.open(tree(FOLDERS)).format == "image_folder"
    assert opening.open(tree(FOLDERS), "defect_folders").task == "defect"
    with pytest.raises(UsageError, match="defect_folders does not say what is needed for segment"):
        opening.open(tree(FOLDERS), "defect_folders", task="segment")


def test_mvtec(tree: Tree) -> None:
    root = tree(MVTEC)
    dataset = opening.open(root, task="defect")

    assert (dataset.format, dataset.classes, dataset.ignored) == ("mvtec", ("good", "hole"), ("license.txt",))
    assert dict(zip(dataset.sources, dataset.splits, strict=True)) == {
        "test/good/0.png": "test", "test/hole/0.png": "test", "train/good/0.png": "train",
    }  # fmt: skip
    assert regions(root)["test/hole/0.png"] == MARKED
    assert regions(root)["test/good/0.png"] == [[0] * 3] * 2


def test_mvtec_of_only_good_parts_has_one_class(tree: Tree) -> None:
    root = tree({"train/good/0.png": SIZE, "ground_truth/x.txt": ""})

    assert opening.open(root, task="defect").classes == ("good",)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({**MVTEC, "ground_truth/hole/1_mask.png": HOLE}, r"hole/1_mask.png: no picture in test"),
        ({**MVTEC, "ground_truth/hole/0_mask.png": HOLE.T.copy()}, r"0_mask.png: it is 2 × 3 pixels, and"),
        ({**MVTEC, "ground_truth/hole/0_mask.png": b"no png"}, r"0_mask.png: the map cannot be used"),
        (
            {**MVTEC, "ground_truth/good/0.png": HOLE},
            r"good/0.png: it marks a defect, and .*among what is good",
        ),
        ({**FOLDERS, "hole/f_mask.png": HOLE}, r"hole/f_mask.png: no picture beside it"),
        ({**FOLDERS, "good/f.jpg": SIZE, "good/f.png": HOLE}, r"good/f.png: it marks a defect"),
    ],
)
def test_errors_name_the_file(tree: Tree, files: dict, said: str) -> None:
    with pytest.raises(DataError, match=said) as raised:
        regions(tree(files))
    assert (raised.value.code, raised.value.exit_code) == ("bad_annotation", 65)


def test_a_change_of_a_mask_or_of_a_kind_changes_what_is_said(tree: Tree) -> None:
    before = opening.open(tree(FOLDERS), task="defect").truths
    changed = opening.open(tree({**FOLDERS, "hole/c.png": 255 - HOLE}, name="other"), task="defect").truths

    assert [a == b for a, b in zip(before, changed, strict=True)].count(False) == 1


def test_frames_of_one_part_stay_together(tree: Tree) -> None:
    numbers = {1: "hole/exp1_num_500", 2: "hole/exp2_num_640", 3: "good/exp3_num_900", 4: "good/exp1_num_841"}
    dataset = opening.open(tree({f"{name}.jpg": SIZE for name in numbers.values()}), task="defect")

    groups = dict(zip(dataset.sources, dataset.groups, strict=True))
    assert groups["hole/exp1_num_500.jpg"] == groups["hole/exp2_num_640.jpg"]
    assert groups["good/exp1_num_841.jpg"] == groups["good/exp3_num_900.jpg"]
    assert len(set(groups.values())) == 2


def test_magnetic_tiles(shared: Path) -> None:
    dataset = opening.open(shared / "data/magnetic_tile", task="defect")

    kinds = ("MT_Blowhole", "MT_Break", "MT_Crack", "MT_Fray", "MT_Uneven")
    assert dataset.classes == ("good", *kinds)
    assert np.bincount(dataset.labels).tolist() == [150, 86, 64, 43, 24, 77]
    for i in range(0, len(dataset), 7):
        label = int(dataset.labels[i])
        header = dataset[i].picture.header()
        found = dataset.scenes.regions(i)
        assert found.shape == (header.height, header.width)
        assert set(np.unique(found).tolist()) <= ({0, label, VOID} if label else {0})
    sizes: dict[str, int] = defaultdict(int)
    for group in dataset.groups:
        sizes[group] += 1
    assert (len(sizes), max(sizes.values())) == (162, 9)
    assert opening.open(shared / "data/magnetic_tile").format == "image_folder"
