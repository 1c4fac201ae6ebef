"""audit.class_statistics: what differs between classes without having to do with what they show."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal import data
from foveal.audit.class_statistics import _told_apart, class_statistics, shortcuts
from foveal.audit.glance import Glances
from foveal.data import inventory


def looked_at(folder: Path):
    dataset = data.open(folder)
    glances = Glances.of(len(dataset))
    return dataset, inventory.take(dataset, look=glances.look), glances


def write(folder: Path, counts: dict[str, int], *, dark: str = "", wide: str = "") -> Path:
    rng = np.random.default_rng(0)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            height, width = int(rng.integers(20, 30)), int(rng.integers(20, 30)) * (2 if name == wide else 1)
            level = rng.uniform(90, 160) - (70 if name == dark else 0)
            pixels = (level + rng.normal(0, 12, (height, width, 3))).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


def test_a_class_is_described_by_counts_and_medians(tmp_path: Path) -> None:
    root = write(tmp_path / "d", {"train/a": 5, "train/b": 4, "test/a": 2, "test/b": 1}, wide="train/b")
    (root / "train/a/0.png").write_bytes(b"")

    a, b = class_statistics(*looked_at(root))

    assert (a["class"], a["images"], a["splits"]) == ("a", 6, {"train": 4, "test": 2})
    assert (b["class"], b["images"], b["splits"]) == ("b", 5, {"train": 4, "test": 1})
    assert set(a) - {"class", "images", "splits"} == {
        *("brightness", "contrast", "sharpness", "width", "height", "aspect"),
    }
    assert b["width"] > 1.5 * a["width"]
    assert 20 <= a["height"] < 30


def test_classes_that_differ_in_nothing_are_no_shortcut(tmp_path: Path) -> None:
    assert shortcuts(*looked_at(write(tmp_path / "d", {"a": 80, "b": 80, "c": 80}))) == []


@pytest.mark.parametrize(
    ("how", "by"), [({"dark": "b"}, {"brightness"}), ({"wide": "b"}, {"width", "aspect"})]
)
def test_a_class_that_one_number_tells_is_a_shortcut(
    how: dict[str, str], by: set[str], tmp_path: Path
) -> None:
    (found,) = shortcuts(*looked_at(write(tmp_path / "d", {"a": 80, "b": 80, "c": 80}, **how)))

    assert found.label == 1
    assert found.by in by
    assert found.balanced_accuracy >= 0.95


def test_small_classes_are_not_judged(tmp_path: Path) -> None:
    assert shortcuts(*looked_at(write(tmp_path / "d", {"a": 80, "b": 29}, dark="b"))) == []


def test_a_class_without_readable_pictures_has_no_medians(tmp_path: Path) -> None:
    root = write(tmp_path / "d", {"a": 3, "b": 1})
    (root / "b/0.png").write_bytes(b"x")

    described = class_statistics(*looked_at(root))[1]

    assert (described["images"], described["splits"], described["brightness"]) == (0, {}, None)


def test_a_class_without_sharpness_has_no_median_of_it(tmp_path: Path) -> None:
    root = write(tmp_path / "d", {"a": 3})
    for i in range(3):
        Image.new("RGB", (2, 30)).save(root / f"a/{i}.png")

    (described,) = class_statistics(*looked_at(root))

    assert (described["width"], described["sharpness"]) == (2, None)


def test_a_rule_is_measured_on_the_other_half() -> None:
    bins = np.arange(40)  # each picture has a value of its own: on the half that made it, any rule is perfect
    mine, makes_rule = bins % 2 == 0, bins < 20

    assert _told_apart(bins, mine, makes_rule) == 0.5
