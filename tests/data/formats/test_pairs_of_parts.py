"""data.formats.deeppcb and pair_table: boards with their templates, defects, splits, groups and mistakes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from boards import write_pairs
from foveal.core.errors import DataError
from foveal.data import opening
from foveal.data.check import check
from foveal.data.inventory import take
from foveal.data.sizing import suggest_channels

Tree = Callable[..., Path]
BOARDS: dict[str, Any] = {
    "group1/1/a_test.png": (40, 30),
    "group1/1/a_temp.png": (40, 30),
    "group1/1_not/a.txt": "1 2 20 22 1\n5 5 9 9 6\n",
    "group2/2/b_test.png": (40, 30),
    "group2/2/b_temp.png": (40, 30),
    "group2/2_not/b.txt": "3,4,13,14,3\n",
}


def test_boards_of_deeppcb_are_read_with_kinds_lists_and_groups(shared: Path) -> None:
    dataset = opening.open(shared / "data" / "deeppcb")

    assert (dataset.format, dataset.task, dataset.pairs) == ("deeppcb", "detect", True)
    assert dataset.classes == ("open", "short", "mousebite", "spur", "copper", "pin-hole")
    assert [dataset.splits.count(name) for name in ("train", "test")] == [200, 70]
    objects = [dataset.scenes.objects(i) for i in range(len(dataset))]
    counts = np.bincount(np.concatenate([one.labels for one in objects]))
    assert counts.tolist() == [365, 283, 344, 301, 255, 274]  # as the data's own README counts them
    assert len(set(dataset.groups)) == 11
    assert suggest_channels(dataset) == 3  # five of the pictures were stored in colour
    assert all(one.boxes.min() >= 0 and one.boxes.max() <= 640 for one in objects)


def test_a_board_is_a_pair_of_both_files(tree: Tree) -> None:
    root = tree(BOARDS)

    dataset = opening.open(root)

    first = dataset.read(0)
    assert dataset.sources == ("group1/1/a_test.png", "group2/2/b_test.png")
    assert dataset.scenes.objects(0).boxes.tolist() == [[1, 2, 20, 22], [5, 5, 9, 9]]
    assert dataset.groups == ("group 1", "group 2")
    assert first.content.endswith((root / "group1/1/a_temp.png").read_bytes())
    assert (root / "group1/1/a_test.png").read_bytes() in first.content


def test_lists_say_what_is_learned_from_and_what_is_left_out(tree: Tree) -> None:
    listed = {"trainval.txt": "group1/1/a.png group1/1_not/a.txt\n"}

    dataset = opening.open(tree({**BOARDS, **listed}))

    assert (dataset.sources, dataset.splits) == (("group1/1/a_test.png",), ("train",))
    assert dataset.ignored == ("group2/2/b_test.png",)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("1 2 3 4", "not x1 y1 x2 y2 kind"),
        ("1 2 x 4 1", "'x' is no number"),
        ("1 2 nan 4 1", "'nan' is no number"),
        ("1 2 3 4 7", "'7' is no kind"),
    ],
)
def test_a_wrong_line_is_named(tree: Tree, line: str, says: str) -> None:
    with pytest.raises(DataError, match=f"1_not/a.txt, line 2: .*{says}") as refused:
        opening.open(tree({**BOARDS, "group1/1_not/a.txt": f"1 2 3 4 1\n{line}\n"}))

    assert refused.value.code == "bad_annotation"


def test_a_list_that_names_what_is_not_there_is_refused(tree: Tree) -> None:
    with pytest.raises(DataError, match=r"trainval.txt, line 1: .* is not there"):
        opening.open(tree({**BOARDS, "trainval.txt": "group1/1/z.png group1/1_not/z.txt\n"}))


def test_a_table_of_pairs_may_share_templates_and_have_good_parts(tree: Tree) -> None:
    table = "image;template;annotation;split;group\na.png;good.png;a.txt;train;x\nb.png;good.png;;test;y\n"
    table += "c.png;good.png;;test;y\n"
    sizes = dict.fromkeys(("a.png", "b.png", "c.png", "good.png"), (40, 30))

    dataset = opening.open(tree({**sizes, "a.txt": "1 2 8 9 a scratch\n", "pairs.csv": table}))

    assert (dataset.format, dataset.pairs, dataset.classes) == ("pair_table", True, ("a scratch",))
    assert (dataset.sources, dataset.splits) == (("a.png", "b.png", "c.png"), ("train", "test", "test"))
    assert dataset.groups == ("group x", "group y", "group y")
    assert [len(dataset.scenes.objects(i)) for i in range(3)] == [1, 0, 0]
    assert dataset.ignored == ()


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("a.png,,a.txt", "template '' is no path"),
        ("../a.png,t.png,a.txt", "image '../a.png' is no path"),
        ("a.png,t.png", "2 cells under 3 columns"),
        ("a.png,t.png,none.txt", "there is no 'none.txt'"),
        ("a.png,t.png,a.txt\na.png,t.png,a.txt", "is on line 2, too"),
    ],
)
def test_a_wrong_row_is_named(tree: Tree, row: str, says: str) -> None:
    made = {"a.png": (40, 30), "t.png": (40, 30), "a.txt": "1 2 8 9 dent\n"}

    with pytest.raises(DataError, match=f"pairs.csv, line [23]: .*{says}") as refused:
        opening.open(tree({**made, "pairs.csv": f"image,template,annotation\n{row}\n"}))

    assert refused.value.code == "bad_annotation"


def test_pairs_without_any_defect_say_so(tree: Tree) -> None:
    made = {"a.png": (40, 30), "t.png": (40, 30), "pairs.csv": "image,template,annotation\na.png,t.png,\n"}

    with pytest.raises(DataError) as refused:
        opening.open(tree(made))

    assert refused.value.code == "no_defects"


def test_the_table_may_be_named_itself(tmp_path: Path) -> None:
    root = write_pairs(tmp_path / "boards", pairs=4)

    dataset = opening.open(root / "pairs.csv")

    assert len(dataset) == 4
    assert opening.places(root / "pairs.csv") == [root / "pairs.csv", root]


def test_a_pair_whose_template_is_missing_or_wrong_is_one_that_cannot_be_read(tmp_path: Path) -> None:
    root = write_pairs(tmp_path / "boards", pairs=4)
    (root / "000_template.png").unlink()
    (root / "001_template.png").write_bytes((root / "002_template.png").read_bytes())

    dataset = opening.open(root)
    inventory = take(dataset)

    codes = [None if error is None else error.code for error in inventory.error]
    assert codes == ["io_error", "not_registered", None, None]
    assert [finding.code for finding in check(dataset, inventory) if finding.severity == "error"]
