"""flows.data_convert: there and back gives the same; the source is only read; whole or not at all."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.core.errors import DataError, UnknownNameError, UsageError, WriteError
from foveal.data import inventory as inventories
from foveal.data import opening
from foveal.data import split as splits
from foveal.data.dataset import Dataset
from foveal.flows.data_convert import convert

LAYOUTS = ("image_folder", "csv_manifest", "npz")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An NPZ with splits, named classes and groups; names of two pictures differ only in case."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 18), ("test", 6)):
        (tmp_path / "source").mkdir(exist_ok=True)
        np.savez(
            tmp_path / "source" / f"x_{split}.npz",
            images=rng.integers(0, 256, (count, 9, 9, 3), dtype=np.uint8),
            labels=np.arange(count) % 3,
            class_names=np.array(["a b", "ä", "c,d"]),
            group=np.arange(count) // 6 + (100 if split == "test" else 0),
        )
    return tmp_path / "source"


def content(dataset: Dataset) -> list[tuple[str, str, bytes, int]]:
    """Return class, split, pixels and group of each picture, whatever their names; groups are numbered."""
    first: dict[str, bytes] = {}
    rows = []
    pixels = [dataset[i].picture.decode(3).tobytes() for i in range(len(dataset))]
    for i, group in enumerate(dataset.groups or [str(i) for i in range(len(dataset))]):
        first[group] = min(first.get(group, pixels[i]), pixels[i])
    for i, group in enumerate(dataset.groups or [str(i) for i in range(len(dataset))]):
        rows.append((dataset.classes[dataset.labels[i]], dataset.splits[i], pixels[i], first[group]))
    return sorted(rows)


@pytest.mark.parametrize(("first", "second"), list(product(LAYOUTS, LAYOUTS)))
def test_there_and_back_gives_the_same(source: Path, tmp_path: Path, first: str, second: str) -> None:
    before = {path: path.read_bytes() for path in source.rglob("*")}

    convert(opening.open(source), tmp_path / "one", to=first)
    convert(opening.open(tmp_path / "one"), tmp_path / "two", to=second)

    for name, layout in (("one", first), ("two", second)):
        found = opening.open(tmp_path / name)
        assert found.format == layout
        assert found.classes == ("a b", "c,d", "ä") or found.classes == ("a b", "ä", "c,d")
        assert content(found) == content(opening.open(source))
    assert {path: path.read_bytes() for path in source.rglob("*")} == before
    assert {path.name for path in tmp_path.iterdir()} == {"source", "one", "two"}


def test_files_keep_their_bytes_damaged_ones_too(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "in" / name).mkdir(parents=True)
        Image.new("RGB", (9, 7), "red" if name == "cat" else "blue").save(tmp_path / "in" / name / "1.jpg")
    (tmp_path / "in" / "cat" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")

    document = convert(opening.open(tmp_path / "in"), tmp_path / "out", to="csv_manifest")

    written = {path.read_bytes() for path in (tmp_path / "out" / "pictures").iterdir()}
    assert written == {path.read_bytes() for path in (tmp_path / "in").rglob("*.*")}
    assert (document["images"], document["left_out"]) == (3, [])


def test_division_is_the_one_that_training_makes(source: Path, tmp_path: Path) -> None:
    dataset = opening.open(source)
    made = splits.make(dataset, inventories.take(dataset), seed=3)

    convert(dataset, tmp_path / "out", to="npz", split_seed=3)

    written = opening.open(tmp_path / "out")
    for role, name in (("fit", "train"), ("calib", "val"), ("test", "test")):
        expected = {dataset[int(i)].picture.decode(3).tobytes() for i in made.role(role)}
        found = {
            written[i].picture.decode(3).tobytes() for i in range(len(written)) if written.splits[i] == name
        }
        assert found == expected


def test_what_is_there_is_kept(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("years of work")

    with pytest.raises(WriteError, match="not empty"):
        convert(opening.open(source), tmp_path / "out", to="npz")
    assert (tmp_path / "out" / "mine.txt").is_file()
    (tmp_path / "empty").mkdir()
    assert convert(opening.open(source), tmp_path / "empty", to="npz")["images"] == 24


def test_pictures_of_one_name_and_two_suffixes_stay_pictures(tmp_path: Path) -> None:
    for place, suffix in (("a", "jpg"), ("b", "png")):
        for name in ("cat", "dog"):
            (tmp_path / "in" / name / place).mkdir(parents=True)
            for i in range(3):
                picture = Image.new("RGB", (9, 7), (20 * i, len(name) * 9, ord(place)))
                picture.save(tmp_path / "in" / name / place / f"{i}.{suffix}")

    convert(opening.open(tmp_path / "in"), tmp_path / "out", to="image_folder")

    assert len(opening.open(tmp_path / "out")) == 12


@pytest.mark.parametrize("name", ["Thumbs.db", "__MACOSX", "train", "groups.csv", ".hidden", "a/b"])
def test_a_class_that_would_be_read_as_something_else_is_refused(tmp_path: Path, name: str) -> None:
    np.savez(tmp_path / "odd.npz", images=np.zeros((2, 4, 4), np.uint8), labels=np.array([name, "c"]))

    with pytest.raises(DataError, match="cannot be the name of a folder"):
        convert(opening.open(tmp_path / "odd.npz"), tmp_path / "x", to="image_folder")


def test_nothing_is_left_behind_by_a_conversion_that_fails(tmp_path: Path) -> None:
    for size in (8, 9):
        (tmp_path / "in" / f"c{size}").mkdir(parents=True)
        Image.new("L", (size, size)).save(tmp_path / "in" / f"c{size}" / "1.png")

    with pytest.raises(UsageError, match="2 sizes"):
        convert(opening.open(tmp_path / "in"), tmp_path / "out", to="npz")
    assert {path.name for path in tmp_path.iterdir()} == {"in"}


def test_places_and_names_that_cannot_be_are_refused(source: Path, tmp_path: Path) -> None:
    dataset = opening.open(source)
    with pytest.raises(WriteError, match="only read"):
        convert(dataset, source / "inside", to="npz")
    with pytest.raises(UnknownNameError, match="layouts to write has no 'zip'"):
        convert(dataset, tmp_path / "x", to="zip")
