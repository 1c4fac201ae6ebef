"""data.formats.image_folder: class folders, split folders, and what must not be taken for either."""

import os
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from foveal import data
from foveal.core.errors import DataError, NotFoundError, UsageError
from foveal.data.dataset import Dataset

Pixels = Callable[..., np.ndarray]
Encode = Callable[..., bytes]
Folder = Callable[..., Path]


def counts(dataset: Dataset) -> Mapping[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for split, label in zip(dataset.splits, dataset.labels, strict=True):
        key = split, dataset.classes[label]
        found[key] = found.get(key, 0) + 1
    return found


def code_of(path: Path) -> str:
    with pytest.raises(DataError) as raised:
        data.open(path)
    return raised.value.code


def test_class_folders_without_splits(folder: Folder) -> None:
    dataset = data.open(folder({"cat": 2, "dog": 3}))

    assert dataset.format == "image_folder"
    assert dataset.classes == ("cat", "dog")
    assert dataset.split_names == ()
    assert counts(dataset) == {("", "cat"): 2, ("", "dog"): 3}
    assert dataset.sources[0] == "cat/000.png"
    assert len(dataset) == 5
    assert dataset.labels.dtype == np.int64


def test_a_sample_is_picture_label_and_name(folder: Folder) -> None:
    sample = data.open(folder({"cat": 1, "dog": 1}))[1]

    assert (sample.label, sample.source) == (1, "dog/000.png")
    assert sample.picture.decode(3).shape == (12, 12, 3)
    assert sample.picture.decode(1).shape == (12, 12, 1)


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("train", "val", "test"), ("train", "val", "test")),
        (("Training", "validation", "TESTING"), ("train", "val", "test")),
        (("test", "valid"), ("val", "test")),
        (("train",), ("train",)),
        (("test",), ("test",)),
    ],
)
def test_split_folders_of_any_usual_name(
    names: tuple[str, ...], splits: tuple[str, ...], folder: Folder
) -> None:
    dataset = data.open(folder({f"{split}/{name}": 2 for split in names for name in ("cat", "dog")}))

    assert dataset.split_names == splits
    assert dataset.classes == ("cat", "dog")
    assert counts(dataset) == {(split, name): 2 for split in splits for name in ("cat", "dog")}


def test_labels_are_those_of_all_splits_together(folder: Folder) -> None:
    dataset = data.open(folder({"train/b": 1, "train/c": 1, "test/a": 1, "test/c": 1}))

    assert dataset.classes == ("a", "b", "c")
    assert counts(dataset) == {
        ("train", "b"): 1,
        ("train", "c"): 1,
        ("test", "a"): 1,
        ("test", "c"): 1,
    }
    assert dict(dataset.folders) == {"train": ("b", "c"), "test": ("a", "c")}


def test_folders_below_a_class_belong_to_it(folder: Folder) -> None:
    dataset = data.open(folder({"cat/indoors/day": 2, "cat": 1, "dog": 1}))

    assert counts(dataset) == {("", "cat"): 3, ("", "dog"): 1}


def test_classes_are_in_code_point_order(folder: Folder) -> None:
    assert data.open(folder({"b": 1, "10": 1, "2": 1, "Z": 1, "ä": 1})).classes == ("10", "2", "Z", "b", "ä")


def test_composed_and_decomposed_names_are_one_class(folder: Folder) -> None:
    names = [unicodedata.normalize(form, "bär") for form in ("NFC", "NFD")]

    dataset = data.open(folder({f"train/{names[0]}": 2, f"test/{names[1]}": 1, "train/x": 1, "test/x": 1}))

    assert dataset.classes == (names[0], "x")
    assert counts(dataset)["test", names[0]] == 1


def test_an_empty_class_folder_is_a_class(folder: Folder) -> None:
    root = folder({"cat": 1, "dog": 1})
    (root / "emu").mkdir()

    assert data.open(root).classes == ("cat", "dog", "emu")


def test_clutter_is_no_class_and_other_files_are_named(folder: Folder) -> None:
    root = folder({"cat": 1, "dog": 1, "dog/.ipynb_checkpoints": 1, ".hidden": 1})
    (root / "README.md").write_text("read me")
    (root / "cat" / "notes.txt").write_text("a note")
    (root / "stray.png").write_bytes(b"")

    dataset = data.open(root)

    assert dataset.classes == ("cat", "dog")
    assert len(dataset) == 2
    assert dataset.ignored == ("README.md", "cat/notes.txt", "stray.png")


def test_pictures_we_cannot_read_are_listed_nevertheless(folder: Folder) -> None:
    root = folder({"cat": 1, "dog": 1})
    (root / "cat" / "scan.TIFF").write_bytes(b"II*\0")

    assert "cat/scan.TIFF" in data.open(root).sources


def test_a_class_may_be_called_train_among_vehicles(folder: Folder) -> None:
    dataset = data.open(folder({"bus": 1, "car": 1, "train": 2}))

    assert dataset.classes == ("bus", "car", "train")
    assert dataset.split_names == ()


def test_a_split_among_other_folders_is_ambiguous(folder: Folder) -> None:
    assert code_of(folder({"train/cat": 1, "unlabeled": 1}, name="a")) == "ambiguous_layout"
    assert code_of(folder({"train/cat": 1, "test/cat": 1, "extra/cat": 1}, name="b")) == "ambiguous_layout"


def test_two_folders_for_one_split_are_ambiguous(folder: Folder) -> None:
    with pytest.raises(DataError, match="several folders for one split: val, valid"):
        data.open(folder({"train/cat": 1, "val/cat": 1, "valid/cat": 1}))


def test_pictures_without_class_folders_are_refused(folder: Folder) -> None:
    for name, layout in {"a": {".": 2}, "b": {"train": 2, "test": 1}}.items():
        with pytest.raises(DataError, match="lie in no class folder") as raised:
            data.open(folder(layout, name=name))
        assert raised.value.code == "unknown_layout"


def _pack(root: Path, path: Path, inside: str = "") -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as file:
            for name in sorted(p for p in root.rglob("*") if p.is_file()):
                file.write(name, inside + name.relative_to(root).as_posix())
    else:
        with tarfile.open(path, "w:" + path.suffix.removeprefix(".").replace("tar", "")) as file:
            file.add(root, inside or ".")
    return path


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tar.xz"])
@pytest.mark.parametrize("inside", ["", "my data/", "a/b/"])
def test_an_archive_reads_like_its_folder(suffix: str, inside: str, folder: Folder, tmp_path: Path) -> None:
    root = folder({"train/cat": 2, "train/dog": 1, "test/cat": 1, "test/dog": 1})
    plain = data.open(root)

    packed = data.open(_pack(root, tmp_path / f"packed{suffix}", inside))

    assert packed.sources == plain.sources
    assert packed.classes == plain.classes
    assert packed.splits == plain.splits
    assert packed.folders == plain.folders
    for i in range(len(plain)):
        assert packed.read(i).content == plain.read(i).content


def test_an_archive_of_one_class_is_not_unwrapped_into_nothing(folder: Folder, tmp_path: Path) -> None:
    dataset = data.open(_pack(folder({"cat": 2}), tmp_path / "packed.zip"))

    assert dataset.classes == ("cat",)


def test_a_name_that_is_no_utf8_can_be_written_anywhere(
    folder: Folder, encode: Encode, pixels: Pixels
) -> None:
    root = folder({"cat": 1, "dog": 1})
    (root / "cat" / os.fsdecode(b"b\xe4r.png")).write_bytes(encode(pixels()))

    dataset = data.open(root)

    assert dataset.sources[1] == "cat/b\\xe4r.png"
    assert dataset[1].picture.decode(3).shape == (24, 32, 3)


# Groups


def test_groups_come_from_a_table_beside_the_pictures(folder: Folder) -> None:
    root = folder({"cat": 3, "dog": 1})
    (root / "groups.csv").write_text("picture,group\ncat/000.png,tom\ncat/002.png,tom\n\n")

    dataset = data.open(root)

    assert dataset.groups is not None
    assert dataset.groups[0] == dataset.groups[2] == "group tom"
    assert len(set(dataset.groups)) == 3
    assert dataset.ignored == ()
    assert data.open(folder({"cat": 1, "dog": 1}, name="other")).groups is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "first line"),
        ("name,track\n", "first line"),
        ("picture,group\ncat/999.png,tom\n", "names no picture"),
        ("picture,group\ncat/000.png\n", "names no picture"),
        ("picture,group\ncat/000.png,\n", "names no picture of the data set, or no group"),
        ("picture,group\ncat/000.png,tom\ncat/000.png,kit\n", "is in two groups, 'tom' and 'kit'"),
        ("picture,group\n" + "x" * 200_000, "field larger"),
    ],
)
def test_a_table_of_groups_that_does_not_fit_is_refused(text: str, why: str, folder: Folder) -> None:
    root = folder({"cat": 1, "dog": 1})
    (root / "groups.csv").write_text(text)

    with pytest.raises(DataError, match=why) as raised:
        data.open(root)
    assert raised.value.code == "bad_groups"


@pytest.mark.parametrize("name", ["Groups.csv", "GROUPS.CSV"])
def test_a_list_of_groups_in_other_letters_is_an_error_and_not_overlooked(folder: Folder, name: str) -> None:
    root = folder({"cat": 2, "dog": 2})
    (root / name).write_text("picture,group\ncat/000.png,1\n")

    with pytest.raises(DataError, match="no regular file of exactly that name") as caught:
        data.open(root)

    assert caught.value.code == "bad_groups"


def test_a_fifo_or_a_folder_in_place_of_a_list_of_groups_is_an_error(folder: Folder) -> None:
    root = folder({"cat": 2, "dog": 2})
    os.mkfifo(root / "groups.csv")
    with pytest.raises(DataError, match="no regular file"):
        data.open(root)
    (root / "groups.csv").unlink()
    (root / "groups.csv").mkdir()
    with pytest.raises(DataError, match="no regular file"):
        data.open(root)


def test_a_list_of_groups_outside_the_folder_around_everything_is_not_lost(
    folder: Folder, tmp_path: Path
) -> None:
    root = folder({"cat": 2, "dog": 2})
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        for path in sorted(root.rglob("*.png")):
            file.write(path, f"set/{path.relative_to(root).as_posix()}")
        file.writestr("groups.csv", "picture,group\nset/cat/000.png,1\nset/cat/001.png,1\n")

    groups = data.open(tmp_path / "set.zip").groups

    assert groups is not None
    assert groups[:2] == ("group 1", "group 1")


def test_a_list_of_groups_that_leads_nowhere_is_an_error(folder: Folder) -> None:
    root = folder({"cat": 2, "dog": 2})
    (root / "groups.csv").symlink_to(root / "gone.csv")

    with pytest.raises(DataError, match="no regular file"):
        data.open(root)


def test_a_pattern_over_names_says_what_belongs_together(folder: Folder) -> None:
    root = folder({"cat": 3, "dog": 3})

    dataset = data.open(root, group=r"/00(\d)")

    assert dataset.groups == ("group 0", "group 1", "group 2") * 2
    with pytest.raises(DataError, match="finds a group in no picture's name"):
        data.open(root, group="(nothing)")
    with pytest.raises(UsageError, match="no brackets"):
        data.open(root, group="cat")
    with pytest.raises(UsageError, match="no regular expression"):
        data.open(root, group="(cat")


def test_a_list_that_lies_elsewhere_says_what_belongs_together_and_is_missed(
    folder: Folder, tmp_path: Path
) -> None:
    root = folder({"cat": 2, "dog": 1})
    path = tmp_path / "tracks.csv"
    path.write_text("picture,group\ncat/000.png,1\ndog/000.png,1\n")

    assert data.open(root, group=str(path)).groups == ("group 1", "alone cat/001.png", "group 1")
    path.unlink()
    with pytest.raises(NotFoundError, match=r"the list of groups .*tracks\.csv does not exist"):
        data.open(root, group=str(path))  # and is not read as a pattern, which it might even fit


def test_what_a_pattern_does_not_find_stands_alone_and_a_list_that_is_not_asked_is_named(
    folder: Folder,
) -> None:
    root = folder({"cat": 2, "dog": 1})
    (root / "groups.csv").write_text("picture,group\ncat/000.png,1\ncat/001.png,1\n")

    dataset = data.open(root, group="cat/00([1-9]?)")

    assert dataset.groups == ("alone cat/000.png", "group 1", "alone dog/000.png")
    assert dataset.not_grouped_by == ("groups.csv",)
    assert data.open(root, group="none").groups is None
    listed = data.open(root).groups
    assert listed is not None
    assert listed[0] == listed[1]


def test_masks_beside_nearly_every_jpeg_are_passed_over(
    folder: Folder, pixels: Pixels, encode: Encode
) -> None:
    root = folder({"cat": 3, "dog": 3})
    for path in list(root.rglob("*.png")):
        path.with_suffix(".jpg").write_bytes(encode(pixels(12, 12, seed=len(path.name)), "JPEG"))

    dataset = data.open(root)

    assert len(dataset) == len(dataset.companions) == 6
    assert all(source.endswith(".jpg") for source in dataset.sources)
    assert not set(dataset.companions) & set(dataset.ignored)
