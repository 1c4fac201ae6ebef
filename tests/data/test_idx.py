"""data.formats.idx: the MNIST family as it is found in the wild, and damaged files refused."""

import gzip
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from foveal import data
from foveal.core.errors import DataError
from foveal.data.preprocess import Preprocess

Write = Callable[..., Path]


def idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a small MNIST look-alike."""

    def make(
        train: np.ndarray,
        train_labels: list[int],
        test: np.ndarray,
        test_labels: list[int],
        *,
        gz: bool = True,
    ) -> Path:
        root = tmp_path / "mnist"
        root.mkdir(exist_ok=True)
        arrays = {
            f"train-images-idx{train.ndim}-ubyte": train,
            "train-labels-idx1-ubyte": np.array(train_labels, np.uint8),
            f"t10k-images-idx{test.ndim}-ubyte": test,
            "t10k-labels-idx1-ubyte": np.array(test_labels, np.uint8),
        }
        for name, array in arrays.items():
            content = idx(array)
            (root / (f"{name}.gz" if gz else name)).write_bytes(gzip.compress(content) if gz else content)
        return root

    return make


def pictures(count: int, *more: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 5, 4, *more), dtype=np.uint8)


@pytest.mark.parametrize("gz", [True, False])
def test_grey_pictures_are_read_with_their_labels(gz: bool, write: Write) -> None:
    dataset = data.open(write(pictures(3), [7, 3, 7], pictures(2, seed=1), [3, 7], gz=gz))

    assert dataset.format == "idx"
    assert dataset.classes == ("3", "7")
    assert dataset.labels.tolist() == [1, 0, 1, 0, 1]
    assert dataset.splits == ("train",) * 3 + ("test",) * 2
    assert dataset.sources[0] == "train-images-idx3-ubyte#0"
    assert dataset.sources[4] == "t10k-images-idx3-ubyte#1"
    assert np.array_equal(dataset[2].picture.decode(1)[:, :, 0], pictures(3)[2])
    assert np.array_equal(dataset[3].picture.decode(1)[:, :, 0], pictures(2, seed=1)[0])
    assert dataset[0].picture.header() == ("raw", 4, 5, "L", 1, "")


def test_pictures_with_several_channels_are_read(write: Write) -> None:
    dataset = data.open(write(pictures(2, 3), [0, 1], pictures(2, 3), [1, 0]))

    assert np.array_equal(dataset[1].picture.decode(3), pictures(2, 3)[1])
    assert dataset[0].picture.header().mode == "RGB"


def test_class_names_come_from_a_file_beside(write: Write) -> None:
    root = write(pictures(2), [0, 1], pictures(2), [1, 0])
    (root / "classes.txt").write_text("shirt\nshoe\nhat\n")

    assert data.open(root).classes == ("shirt", "shoe", "hat")
    assert data.open(root).folders == {"train": ("shirt", "shoe"), "test": ("shirt", "shoe")}
    (root / "classes.txt").write_text("shirt\n")
    with pytest.raises(DataError, match="names 1 classes, but label 1 occurs") as raised:
        data.open(root)
    assert raised.value.code == "label_without_name"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shirt\nshoe\nshirt\n", "classes.txt, line 3: 'shirt' is on line 1 too"),
        ("h\u00fct\nhu\u0308t \n", "classes.txt, line 2: 'h\u00fct' is on line 1 too"),
        ("shirt\n \nshoe\n", "classes.txt, line 2: it is empty"),
    ],
)
def test_class_names_that_are_doubled_or_empty_are_refused_by_line(
    text: str, expected: str, write: Write
) -> None:
    root = write(pictures(2), [0, 1], pictures(2), [1, 0])
    (root / "classes.txt").write_text(text, encoding="utf-8")

    with pytest.raises(DataError, match=expected) as raised:
        data.open(root)
    assert raised.value.code == "bad_class_names"


def test_empty_lines_behind_the_last_class_name_do_no_harm(write: Write) -> None:
    root = write(pictures(2), [0, 1], pictures(2), [1, 0])
    (root / "classes.txt").write_text("shirt\nshoe\n\n \n")

    assert data.open(root).classes == ("shirt", "shoe")


def test_class_names_come_from_the_folder_of_the_files_or_one_around_it(write: Write, tmp_path: Path) -> None:
    write(pictures(2), [0, 1], pictures(2), [1, 0])
    for name in ("another", "mnis"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "classes.txt").write_text("one\ntwo\n")
    assert data.open(tmp_path).classes == ("0", "1")

    (tmp_path / "labels.txt").write_text("shirt\nshoe\n")
    assert data.open(tmp_path).classes == ("shirt", "shoe")
    (tmp_path / "mnist" / "labels.txt").write_text("hat\nboot\n")
    assert data.open(tmp_path).classes == ("hat", "boot")
    assert "mnist/labels.txt" not in data.open(tmp_path).ignored


def test_sets_in_different_folders_are_not_mixed(write: Write, tmp_path: Path) -> None:
    root = write(pictures(2), [0, 1], pictures(2), [1, 0])
    (tmp_path / "letters").mkdir()
    for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        (root / name).rename(tmp_path / "letters" / name)

    with pytest.raises(DataError, match="IDX files in several folders: letters, mnist") as raised:
        data.open(tmp_path)
    assert raised.value.code == "ambiguous_layout"
    assert data.open(root).split_names == ("train",)


def test_more_channels_than_can_be_learned_from_are_refused(write: Write) -> None:
    unit = {"size": 8, "mean": (0.5,) * 33, "std": (0.5,) * 33}
    with pytest.raises(ValidationError, match="less than or equal to 32"):
        Preprocess(channels=33, **unit)

    assert len(data.open(write(pictures(1, 32), [0], pictures(1, 32), [0]))) == 2
    with pytest.raises(DataError, match="pictures of 33 channels; at most 32") as raised:
        data.open(write(pictures(1, 33), [0], pictures(1, 33), [0]))
    assert raised.value.code == "bad_idx"


def test_a_plain_file_wins_over_its_packed_twin_and_the_folder_may_be_deeper(
    write: Write, tmp_path: Path
) -> None:
    root = write(pictures(2), [0, 1], pictures(2), [1, 0])
    write(pictures(3), [0, 1, 1], pictures(2), [1, 0], gz=False)

    assert len(data.open(root)) == 5
    assert len(data.open(tmp_path)) == 5


def test_a_tar_of_the_files_is_read(write: Write, tmp_path: Path) -> None:
    root = write(pictures(2), [0, 1], pictures(2), [1, 0])
    with tarfile.open(tmp_path / "mnist.tar.xz", "w:xz") as file:
        file.add(root, "mnist")

    assert len(data.open(tmp_path / "mnist.tar.xz")) == 4


def test_one_split_alone_is_enough(write: Write) -> None:
    root = write(pictures(2), [0, 1], pictures(2), [1, 0])
    for name in root.glob("train*"):
        name.unlink()

    assert data.open(root).split_names == ("test",)


def test_images_without_labels_are_named(write: Write) -> None:
    root = write(pictures(2), [0, 1], pictures(2), [1, 0])
    (root / "t10k-labels-idx1-ubyte.gz").unlink()

    with pytest.raises(DataError, match="the labels of test missing"):
        data.open(root)


def test_counts_that_differ_are_refused(write: Write) -> None:
    with pytest.raises(DataError, match=r"holds 2 pictures, .* 3 labels") as raised:
        data.open(write(pictures(2), [0, 1, 1], pictures(2), [1, 0]))
    assert raised.value.code == "label_count_mismatch"


DAMAGE = {
    "cut gzip": (lambda content: gzip.compress(content)[:-9], "ends too early"),
    "no gzip": (lambda content: content, "incorrect header"),
    "no header": (lambda content: gzip.compress(b"\x00\x00"), "no IDX header"),
    "float": (lambda content: gzip.compress(b"\0\0\x0d" + content[3:]), "no IDX header"),
    "cut": (lambda content: gzip.compress(content[:-1]), "announces"),
    "bomb": (lambda content: gzip.compress(content + bytes(2**24)), "more than 40 values follow"),
    "too long": (lambda content: gzip.compress(content + b"x"), "announces"),
    "huge": (
        lambda content: gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12 + content[16:]),
        "more than 2147483648",
    ),
    "much announced": (
        lambda content: gzip.compress(content[:4] + b"\0\0\xff\xff" + content[8:]),
        "but 40 values follow",
    ),
    "one number": (lambda content: gzip.compress(b"\0\0\x08\x01\0\0\0\x01x"), "no pictures with labels"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_files_are_refused(name: str, write: Write) -> None:
    damage, text = DAMAGE[name]
    root = write(pictures(2), [0, 1], pictures(2), [1, 0])
    (root / "train-images-idx3-ubyte.gz").write_bytes(damage(idx(pictures(2))))

    with pytest.raises(DataError, match=text) as raised:
        data.open(root)
    assert raised.value.code == "bad_idx"


def test_fashion_mnist_opens_where_it_is_installed() -> None:
    root = Path("/usr/share/datasets/fashion-mnist")
    if not root.is_dir():
        pytest.skip("needs the Debian package dataset-fashion-mnist")

    dataset = data.open(root)

    assert len(dataset) == 70_000
    assert dataset.classes == tuple("0123456789")
    assert np.bincount(dataset.labels).tolist() == [7000] * 10
