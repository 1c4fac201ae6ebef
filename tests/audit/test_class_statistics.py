"""audit.class_statistics: what differs between classes without having to do with what they show."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal import data
from foveal.audit.class_statistics import Shortcut, _told_apart, class_statistics, shortcuts
from foveal.audit.glance import Glances
from foveal.data import inventory
from foveal.data.dataset import Dataset


def looked_at(folder: Path):
    dataset = data.open(folder)
    glances = Glances.of(len(dataset))
    return dataset, inventory.take(dataset, look=glances.look), glances


def told(folder: Path) -> list[Shortcut]:
    """Return the shortcuts of pictures that each stand alone."""
    dataset, taken, glances = looked_at(folder)
    return shortcuts(dataset, taken, glances, np.arange(len(dataset)))


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
    assert told(write(tmp_path / "d", {"a": 80, "b": 80, "c": 80})) == []


@pytest.mark.parametrize(
    ("how", "by"), [({"dark": "b"}, {"brightness"}), ({"wide": "b"}, {"width", "aspect"})]
)
def test_a_class_that_one_number_tells_is_a_shortcut(
    how: dict[str, str], by: set[str], tmp_path: Path
) -> None:
    (found,) = told(write(tmp_path / "d", {"a": 80, "b": 80, "c": 80}, **how))

    assert found.label == 1
    assert found.by in by
    assert found.balanced_accuracy >= 0.95


def test_small_classes_are_not_judged(tmp_path: Path) -> None:
    assert told(write(tmp_path / "d", {"a": 80, "b": 29}, dark="b")) == []
    assert [one.label for one in told(write(tmp_path / "e", {"a": 80, "b": 30}, dark="b"))] == [0, 1]


def test_where_nothing_is_readable_nothing_is_a_shortcut(tmp_path: Path) -> None:
    root = write(tmp_path / "d", {"a": 1})
    (root / "a/0.png").write_bytes(b"")

    assert told(root) == []


Tracks = Callable[..., tuple[Dataset, inventory.Inventory, Glances, np.ndarray]]


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> Tracks:
    """Return a function that gives two classes of tracks; the 20 frames of one are nearly alike."""
    root = tmp_path_factory.mktemp("tracks")
    template = looked_at(write(root, {"a": 1}))[1]

    def make(each: int, *, seed: int, darker: float = 0.0):
        rng = np.random.default_rng(seed)
        units = np.repeat(np.arange(2 * each), 20)
        labels = units // each
        dataset = replace(data.open(root), classes=("a", "b"), labels=labels, splits=("",) * len(units))
        glances = Glances.of(len(units))
        for column in (glances.brightness, glances.contrast, glances.sharpness):
            column[:] = rng.normal(size=2 * each)[units] + rng.normal(0, 0.05, len(units))
        glances.brightness[labels == 1] -= darker
        sides = {side: rng.integers(100, 900, 2 * each)[units] for side in ("width", "height")}
        return dataset, replace(template, error=(None,) * len(units), **sides), glances, units

    return make


def test_tracks_that_differ_by_chance_are_seldom_a_shortcut(tracks: Tracks) -> None:
    reported = sum(bool(shortcuts(*tracks(each, seed=seed))) for each in (6, 10, 15) for seed in range(40))

    assert reported <= 0.05 * 120


def test_frames_of_one_track_do_not_prove_what_they_taught(tracks: Tracks) -> None:
    dataset, taken, glances, _ = tracks(6, seed=0)

    assert shortcuts(dataset, taken, glances, np.arange(len(dataset.labels))), (
        "frame by frame it looks like one"
    )


def test_a_shortcut_is_found_in_tracks_if_they_are_enough(tracks: Tracks) -> None:
    found = [shortcuts(*tracks(20, seed=seed, darker=8)) for seed in range(10)]

    assert sum({one.by for one in both} == {"brightness"} for both in found) >= 9
    assert not any(shortcuts(*tracks(9, seed=seed, darker=8)) for seed in range(10)), "4 tracks in one half"


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


def test_a_bin_that_the_rule_does_not_know_is_judged_by_the_nearest() -> None:
    bins = np.arange(40)
    makes_rule = bins % 4 == 0

    assert _told_apart(bins, bins >= 20, makes_rule) >= 0.95
