"""data.inventory: every picture once, in order, the same with any number of threads; errors are rows, too."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from foveal import data
from foveal.data import inventory
from foveal.data.dataset import Dataset, content_hash
from foveal.data.decode import LIMITS
from foveal.data.pictures import RawPicture
from foveal.data.preprocess import Preprocess
from foveal.data.store import StoreWriter

Folder = Callable[..., Path]
RGB8 = Preprocess(size=8, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3)


@pytest.fixture
def damaged(folder: Folder) -> Path:
    """A folder with one good picture and three bad ones in class cat, one good one in dog."""
    root = folder({"cat": 4, "dog": 1}, side=20)
    (root / "cat/001.png").write_bytes(b"")
    (root / "cat/002.png").write_bytes((root / "cat/003.png").read_bytes()[:-20])
    with (root / "cat/003.png").open("ab") as file:
        file.truncate(LIMITS.content_bytes + 1)
    return root


def test_every_picture_has_its_row(damaged: Path) -> None:
    found = inventory.take(data.open(damaged))

    assert len(found) == 5
    assert [error.code if error else None for error in found.error] == [
        None,
        "empty",
        "truncated",
        "too_many_bytes",
        None,
    ]
    assert found.readable.tolist() == [True, False, False, False, True]
    assert found.width.tolist() == [20, 0, 0, 0, 20]
    assert found.format == ("PNG", "", "", "", "PNG")
    assert found.mode == ("RGB", "", "", "", "RGB")
    assert found.sha256[0] == content_hash((damaged / "cat/000.png").read_bytes())
    assert found.sha256[1] == content_hash(b"")
    assert found.sha256[3] == "", "a file that is too long is not read to its end"


def test_an_error_keeps_nothing_of_its_picture_alive(damaged: Path) -> None:
    for error in inventory.take(data.open(damaged)).error:
        assert error is None or (error.__traceback__, error.__cause__, error.__context__) == (
            None,
            None,
            None,
        )


def test_a_file_that_vanishes_is_a_row(folder: Folder) -> None:
    root = folder({"cat": 1, "dog": 1})
    dataset = data.open(root)
    (root / "cat/000.png").unlink()

    found = inventory.take(dataset)

    assert found.error[0] is not None
    assert found.error[0].code == "io_error"
    assert found.sha256[0] == ""


def test_pixels_go_to_the_store_in_the_same_pass(damaged: Path, tmp_path: Path) -> None:
    dataset = data.open(damaged)
    with StoreWriter(tmp_path / "pixels.npy", count=len(dataset), preprocess=RGB8) as writer:
        found = inventory.take(dataset, store=writer)
        store = writer.seal(dataset.labels, fingerprint=found.fingerprint)

    for i in (0, 4):
        assert np.array_equal(store.images[i], RGB8.from_bytes(dataset.read(i).content))
    assert not store.images[1:4].any()


@pytest.mark.parametrize("side", [10, 200])
def test_threads_change_nothing(side: int, folder: Folder, tmp_path: Path) -> None:
    dataset = data.open(folder({"cat": 90, "dog": 60}, kind="BMP", side=side))
    results = []
    for threads in (1, 3):
        with StoreWriter(tmp_path / f"{threads}.npy", count=150, preprocess=RGB8) as writer:
            found = inventory.take(dataset, store=writer, threads=threads)
            results.append((found, np.array(writer.images)))

    (one, alone), (many, together) = results
    assert one.sha256 == many.sha256
    assert one.fingerprint == many.fingerprint
    assert np.array_equal(alone, together)


@pytest.mark.parametrize("threads", [1, 3])
def test_an_interruption_does_not_wait_for_the_rest(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "_REPORT_SECONDS", -1)
    count, read = 6400, []
    pixels = np.zeros((80, 80, 3), np.uint8)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    dataset = Dataset(
        format="array",
        path=Path("pictures"),
        classes=("a",),
        sources=("x",) * count,
        labels=np.zeros(count, np.int64),
        splits=("",) * count,
        read=lambda index: (read.append(index), RawPicture(pixels))[1],
    )

    with pytest.raises(KeyboardInterrupt):
        inventory.take(dataset, threads=threads, progress=interrupt)

    assert len(read) < count / 2


def test_raw_pictures_of_many_channels_keep_them(tmp_path: Path) -> None:
    import struct

    array = np.random.default_rng(0).integers(0, 256, (6, 9, 9, 5), dtype=np.uint8)
    head = bytes((0, 0, 8, 4)) + struct.pack(">4I", *array.shape)
    (tmp_path / "train-images-idx4-ubyte").write_bytes(head + array.tobytes())
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x06\0\1\0\1\0\1")

    found = inventory.take(data.open(tmp_path))

    assert found.readable.all()
    assert set(found.mode) == {"5 channels"}


def test_progress_ends_at_everything(folder: Folder) -> None:
    said: list[tuple[str, int, int]] = []

    inventory.take(
        data.open(folder({"cat": 3, "dog": 2})),
        progress=lambda stage, done, total, note="": said.append((stage, done, total)),
    )

    assert said[-1] == ("reading pictures", 5, 5)


def test_the_fingerprint_is_about_content_names_and_labels(folder: Folder) -> None:
    root = folder({"cat": 2, "dog": 2})
    before = inventory.take(data.open(root)).fingerprint
    assert inventory.take(data.open(root)).fingerprint == before

    (root / "cat/000.png").rename(root / "cat/009.png")
    renamed = inventory.take(data.open(root)).fingerprint
    (root / "cat/009.png").rename(root / "dog/009.png")
    relabelled = inventory.take(data.open(root)).fingerprint
    (root / "dog/009.png").write_bytes(b"other")
    changed = inventory.take(data.open(root)).fingerprint

    assert len({before, renamed, relabelled, changed}) == 4
