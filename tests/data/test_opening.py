"""data.open: finds the layout, says what it looked for, and picks no archive by chance."""

import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import foveal.data
import scenes
from foveal import data
from foveal.core import catalog
from foveal.core.errors import DataError, NotFoundError, UnknownNameError, UsageError
from foveal.data import formats
from foveal.data.formats._format import Format
from foveal.data.tree import folder_tree

Folder = Callable[..., Path]


def pack(root: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name in root.rglob("*.png"):
            file.write(name, name.relative_to(root).as_posix())


def test_the_only_archive_of_a_folder_is_opened(folder: Folder, tmp_path: Path) -> None:
    inner = tmp_path / "outer"
    inner.mkdir()
    pack(folder({"cat": 1, "dog": 1}), inner / "pictures.zip")
    (inner / "README.md").write_text("read me")

    assert data.open(inner).path == inner / "pictures.zip"
    assert data.open(str(inner)).classes == ("cat", "dog")


def packed(path: Path, members: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as file:
            for name, content in members.items():
                file.writestr(name, content)
    else:
        with tarfile.open(path, "w") as file:
            for name, content in members.items():
                about = tarfile.TarInfo(name)
                about.size = len(content)
                file.addfile(about, io.BytesIO(content))
    return path


def npz_of(count: int) -> bytes:
    file = io.BytesIO()
    np.savez(file, images=np.zeros((count, 4, 4), np.uint8), labels=np.arange(count))
    return file.getvalue()


TABLE = b"path,label\nshots/1.png,cat\nshots/2.png,dog\n"
PICTURES = {"shots/1.png": b"one", "shots/2.png": b"two"}


@pytest.mark.parametrize("around", ["", "set/", "my set/v1/"])
@pytest.mark.parametrize("suffix", [".zip", ".tar"])
@pytest.mark.parametrize(
    ("members", "layout", "classes"),
    [
        ({"parts.csv": TABLE, **PICTURES}, "csv_manifest", ("cat", "dog")),
        ({"parts.csv": b"path,label\n1.png,cat\n2.png,dog\n", "1.png": b"", "2.png": b""}, "csv_manifest",
         ("cat", "dog")),
        ({"parts.csv": b"path,label\n1.scan,cat\n2.scan,dog\n", "1.scan": b"", "2.scan": b""},
         "csv_manifest", ("cat", "dog")),
        ({"set.npz": npz_of(2)}, "npz", ("0", "1")),
        ({"set.npz": npz_of(2), "preview.png": b""}, "npz", ("0", "1")),
        ({"cat/1.png": b"", "dog/1.png": b"", "notes.csv": b"a,b"}, "image_folder", ("cat", "dog")),
    ],
)  # fmt: skip
def test_one_folder_around_everything_in_an_archive_changes_nothing(
    tmp_path: Path, around: str, suffix: str, members: dict[str, bytes], layout: str, classes: tuple[str, ...]
) -> None:
    path = packed(tmp_path / f"all{suffix}", {around + name: content for name, content in members.items()})
    plain = data.open(packed(tmp_path / f"plain{suffix}", members))

    dataset = data.open(path)

    assert (dataset.format, dataset.classes, dataset.sources) == (layout, classes, plain.sources)
    assert data.open(path, layout).classes == classes
    if layout != "npz":
        assert [dataset.read(i).content for i in range(2)] == [plain.read(i).content for i in range(2)]


@pytest.mark.parametrize(
    ("members", "layout", "classes"),
    [
        ({"parts.csv": TABLE, **PICTURES}, "csv_manifest", ("cat", "dog")),
        ({"parts.csv": b"path,label\nshots/a/1.png,cat\n", "shots/a/1.png": b"", "shots/b/1.png": b""},
         "csv_manifest", ("cat",)),
        ({"cat/1.png": b"", "cat/notes.csv": b"a,b", "cat/codes.npz": b"no zip"}, "image_folder", ("cat",)),
        ({"notes.csv": b"a,b", "set/cat/1.png": b"", "set/dog/1.png": b""}, "image_folder", ("cat", "dog")),
    ],
)  # fmt: skip
def test_a_folder_that_is_not_around_everything_is_kept(
    tmp_path: Path, members: dict[str, bytes], layout: str, classes: tuple[str, ...]
) -> None:
    dataset = data.open(packed(tmp_path / "all.zip", members))

    assert (dataset.format, dataset.classes) == (layout, classes)


def test_a_split_that_is_alone_is_no_folder_around_everything(tmp_path: Path) -> None:
    path = packed(tmp_path / "all.zip", {"train/cat/1.png": b"", "train/dog/1.png": b""})

    assert data.open(path).split_names == ("train",)


def test_splits_without_classes_are_refused_with_a_folder_around_them_too(tmp_path: Path) -> None:
    path = packed(tmp_path / "all.zip", {"set/train/1.png": b"", "set/test/1.png": b""})

    with pytest.raises(DataError, match="test and train: the pictures in it lie in no class folder"):
        data.open(path)


def test_several_archives_are_named_and_none_is_opened(folder: Folder, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    for name in ("train.zip", "test.zip"):
        pack(folder({"cat": 1, "dog": 1}), outer / name)

    with pytest.raises(DataError, match=r"several archives: test\.zip, train\.zip") as raised:
        data.open(outer)
    assert raised.value.code == "several_archives"
    assert str(outer / "test.zip") in (raised.value.hint or "")


def test_an_archive_among_class_folders_is_left_alone(folder: Folder) -> None:
    root = folder({"cat": 1, "dog": 1})
    pack(root, root / "backup.zip")

    dataset = data.open(root)

    assert dataset.path == root
    assert dataset.ignored == ("backup.zip",)


def test_the_real_folder_of_three_archives_names_them(shared: Path) -> None:
    with pytest.raises(DataError, match="cifar10_imagefolder_3k.zip"):  # noqa: RUF043
        data.open(shared / "data/cifar10")


def test_an_unknown_layout_lists_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")

    with pytest.raises(DataError, match=r"idx \(train-images.*image_folder \(.*no picture file") as raised:
        data.open(tmp_path)
    assert raised.value.code == "unknown_layout"


def test_two_layouts_in_one_folder_are_ambiguous_until_one_is_named(folder: Folder) -> None:
    root = folder({"cat": 1, "dog": 1})
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (root / name).write_bytes(b"\0\0\x08\x01\0\0\0\0")

    with pytest.raises(DataError, match="could be idx or image_folder") as raised:
        data.open(root)
    assert raised.value.code == "ambiguous_layout"
    assert raised.value.hint == "put each set into a folder of its own, and name the one you mean"
    assert data.open(root, "image_folder").classes == ("cat", "dog")


def test_a_format_that_does_not_fit_says_what_it_lacks(folder: Folder) -> None:
    with pytest.raises(DataError, match="no file called like train-images"):
        data.open(folder({"cat": 1}), "idx")


def test_an_unknown_format_is_answered_with_the_known_ones(folder: Folder) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'image_folder'"):
        data.open(folder({"cat": 1}), "imagefolder")


def test_nothing_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        data.open(tmp_path / "gone")


def test_a_fifo_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(DataError, match="neither a folder nor a file"):
        data.open(tmp_path / "pipe")


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")

    with pytest.raises(DataError, match="no readable tar") as raised:
        data.open(tmp_path / "a.png")
    assert raised.value.code == "not_an_archive"


@pytest.mark.parametrize("name", catalog.names(formats))
def test_every_format_refuses_an_empty_folder_with_a_reason(name: str, tmp_path: Path) -> None:
    found = catalog.find(formats, name)

    assert isinstance(found, Format)
    assert found.looks_for
    assert found.lacks(folder_tree(tmp_path))


def test_the_packages_names_come_on_first_use() -> None:
    assert foveal.data.Dataset.__name__ == "Dataset"
    assert set(foveal.data.__all__) == {"Dataset", "open"}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = foveal.data.nothing


def test_a_name_that_no_file_can_have_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="does not exist, or may not be looked at"):
        data.open("x" * 300)


def test_a_format_that_is_for_other_tasks_says_so(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="voc does not say what is needed for segment; it does for"
    ) as caught:
        data.open(scenes.write_voc(tmp_path / "voc", count=2), "voc", task="segment")

    assert caught.value.code == "other_task"


def test_of_what_lacks_a_part_of_its_annotations_it_is_said_what(tmp_path: Path) -> None:
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "images/a.png")
    (tmp_path / "labels/a.txt").write_text("0 0.5 0.5 0.2 0.2\n")

    with pytest.raises(DataError, match=r"yolo .*neither data.yaml nor classes.txt"):
        data.open(tmp_path, task="detect")


def test_data_of_a_known_layout_say_for_what_they_are(tmp_path: Path) -> None:
    voc = scenes.write_voc(tmp_path / "voc", count=2)

    with pytest.raises(DataError, match=r"\(voc\) does not say what is needed for segment") as caught:
        data.open(voc, task="segment")

    assert (caught.value.code, caught.value.hint) == (
        "other_task",
        f"--task detect, as in: foveal train {caught.value.path} --task detect",
    )
