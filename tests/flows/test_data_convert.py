"""flows.data_convert: there and back gives the same; the source is only read; whole or not at all."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.core import catalog
from foveal.core.errors import DataError, UnknownNameError, WriteError
from foveal.data import formats, opening
from foveal.data import inventory as inventories
from foveal.data import split as splits
from foveal.data.dataset import Dataset
from foveal.data.formats import _writing
from foveal.flows import data_convert
from foveal.flows._page import check_page
from foveal.flows.data_convert import convert

FOUND = {name: catalog.find(formats, name) for name in catalog.names(formats)}
LAYOUTS = [name for name, one in FOUND.items() if one.write and "classify" in one.tasks]


@pytest.fixture(params=["npz", "image_folder"])
def source(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """24 pictures with splits, named classes and groups; in folders, names of two differ only in case."""
    rng = np.random.default_rng(0)
    names, lines = ["a b", "ä", "c,d"], ["picture,group"]
    for split, count in (("train", 18), ("test", 6)):
        images = rng.integers(0, 256, (count, 9, 9, 3), dtype=np.uint8)
        labels, groups = np.arange(count) % 3, np.arange(count) // 6 + (100 if split == "test" else 0)
        (tmp_path / "source").mkdir(exist_ok=True)
        if request.param == "npz":
            arrays = {"images": images, "labels": labels, "class_names": np.array(names), "group": groups}
            np.savez(tmp_path / "source" / f"x_{split}.npz", **arrays)
            continue
        for i in range(count):
            place = f"{split}/{names[labels[i]]}/{'xX'[i // 3 % 2]}{i // 6}.png"
            (tmp_path / "source" / place).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images[i]).save(tmp_path / "source" / place)
            lines.append(f'"{place}",{groups[i]}')
    if request.param == "image_folder":
        (tmp_path / "source" / "groups.csv").write_text("\n".join(lines), encoding="utf-8")
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
    before = {path: path.read_bytes() for path in source.rglob("*.*")}

    convert(opening.open(source), tmp_path / "one", to=first)
    convert(opening.open(tmp_path / "one"), tmp_path / "two", to=second)

    for name, layout in (("one", first), ("two", second)):
        found = opening.open(tmp_path / name)
        assert found.format == layout
        assert found.classes == ("a b", "c,d", "ä") or found.classes == ("a b", "ä", "c,d")
        assert content(found) == content(opening.open(source))
    assert {path: path.read_bytes() for path in source.rglob("*.*")} == before
    for folder in {path.parent for path in (tmp_path / "two").rglob("*.png")}:
        written = [path.name.casefold() for path in folder.iterdir()]
        assert len(set(written)) == len(written), "they would be one file elsewhere"
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


@pytest.mark.parametrize("to", ["image_folder", "csv_manifest"])
def test_no_picture_takes_the_name_that_another_was_given(tmp_path: Path, to: str) -> None:
    places = ["cat/a/x.png", "cat/b/x.png", "cat/c/X.png", "cat/x-1.png", "cat/x-1-3.png", "dog/y.png"]
    for i, place in enumerate(places):
        (tmp_path / "in" / place).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 7), (40 * i, 9, 9)).save(tmp_path / "in" / place)

    document = convert(opening.open(tmp_path / "in"), tmp_path / "out", to=to)

    written = list((tmp_path / "out").rglob("*.png"))
    assert {path.read_bytes() for path in written} == {(tmp_path / "in" / p).read_bytes() for p in places}
    assert document["images"] == len(written) == len({str(path).casefold() for path in written}) == 6


def test_a_file_that_is_there_is_never_written_over(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = _writing.rows_of
    same = lambda dataset: (replace(row, name="same.png") for row in real(dataset))  # noqa: E731
    monkeypatch.setattr(data_convert, "rows_of", same)

    with pytest.raises(WriteError, match="exists"):
        convert(opening.open(source), tmp_path / "out", to="image_folder")

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", LAYOUTS)
def test_the_classes_told_are_those_that_are_read_again(tmp_path: Path, to: str) -> None:
    names = np.array(["cat", "dog", "never"])
    np.savez(tmp_path / "in.npz", images=np.zeros((2, 4, 4), np.uint8), labels=[0, 1], class_names=names)

    document = convert(opening.open(tmp_path / "in.npz"), tmp_path / "out", to=to)

    assert tuple(document["classes"]) == opening.open(tmp_path / "out").classes
    assert ("never" in document["classes"]) == (to != "csv_manifest")


@pytest.mark.parametrize("name", ["Thumbs.db", "__MACOSX", "train", "groups.csv", ".hidden", "a/b"])
def test_a_class_that_would_be_read_as_something_else_is_refused(tmp_path: Path, name: str) -> None:
    np.savez(tmp_path / "odd.npz", images=np.zeros((2, 4, 4), np.uint8), labels=np.array([name, "c"]))

    with pytest.raises(DataError, match="cannot be the name of a folder"):
        convert(opening.open(tmp_path / "odd.npz"), tmp_path / "x", to="image_folder")


def test_nothing_is_left_behind_by_a_conversion_that_fails(tmp_path: Path) -> None:
    for size in (8, 9):
        (tmp_path / "in" / f"c{size}").mkdir(parents=True)
        Image.new("L", (size, size)).save(tmp_path / "in" / f"c{size}" / "1.png")

    with pytest.raises(DataError, match="2 sizes") as caught:
        convert(opening.open(tmp_path / "in"), tmp_path / "out", to="npz")
    assert caught.value.code == "several_sizes"
    assert {path.name for path in tmp_path.iterdir()} == {"in"}


def test_nothing_is_written_beside_the_pictures_of_a_table_that_is_named_itself(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "shots" / name).mkdir(parents=True)
        Image.new("L", (8, 8), len(name)).save(tmp_path / "shots" / name / "1.png")
    table = tmp_path / "set.csv"
    table.write_text("path,label\nshots/cat/1.png,cat\nshots/dog/1.png,dog\n", encoding="utf-8")

    for place in ("shots", "shots/cat/out", "shots/dog"):
        with pytest.raises(WriteError, match="only read"):
            convert(opening.open(table), tmp_path / place, to="npz")
    with pytest.raises(WriteError, match="only read"):
        check_page(tmp_path / "shots" / "cat" / "page.html", table, force=True)
    assert convert(opening.open(table), tmp_path / "out", to="npz")["images"] == 2


def test_places_and_names_that_cannot_be_are_refused(source: Path, tmp_path: Path) -> None:
    dataset = opening.open(source)
    with pytest.raises(WriteError, match="only read"):
        convert(dataset, source / "inside", to="npz")
    with pytest.raises(UnknownNameError, match="layouts to write has no 'zip'"):
        convert(dataset, tmp_path / "x", to="zip")
