"""data.store: what was put in comes out; nothing half-written, and nothing of other data, is ever opened."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.core.errors import DataError, WriteError
from foveal.data.preprocess import Preprocess
from foveal.data.store import Store, StoreWriter, channel_statistics

Pixels = Callable[..., np.ndarray]
RGB8 = Preprocess(size=8, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3)
LABELS = np.array([0, 1, 0], np.int64)


@pytest.fixture
def path(tmp_path: Path, pixels: Pixels) -> Path:
    """A sealed store of three pictures, made from the data "abc"."""
    path = tmp_path / "pixels.npy"
    with StoreWriter(path, count=3, preprocess=RGB8) as writer:
        for i in range(3):
            writer.put(i, pixels(20, 30, seed=i))
        writer.seal(LABELS, fingerprint="abc")
    return path


def test_pixels_and_labels_come_back(path: Path, pixels: Pixels) -> None:
    store = Store.open(path, preprocess=RGB8, fingerprint="abc")

    assert store.images.shape == (3, 8, 8, 3)
    assert store.images.dtype == np.uint8
    assert np.array_equal(store.images[1], RGB8(pixels(20, 30, seed=1)))
    assert np.array_equal(store.labels, LABELS)
    assert store.labels.dtype == np.int64
    assert not store.images.flags.writeable
    assert Store.open(path, preprocess=RGB8).fingerprint == "abc"


def test_mean_and_std_do_not_bind_the_store(path: Path) -> None:
    other = RGB8.model_copy(update={"mean": (0.1, 0.2, 0.3)})

    assert len(Store.open(path, preprocess=other).images) == 3


def test_another_making_or_other_data_are_refused(path: Path) -> None:
    with pytest.raises(DataError, match="another size, channels or decoder") as raised:
        Store.open(path, preprocess=RGB8.model_copy(update={"decoder": "pillow 1.0"}))
    assert raised.value.code == "store_mismatch"
    with pytest.raises(DataError, match="made from other data"):
        Store.open(path, preprocess=RGB8, fingerprint="abd")


def damage_description(path: Path, **change: object) -> None:
    beside = path.with_name("pixels.npy.json")
    beside.write_text(json.dumps({**json.loads(beside.read_text()), **change}))


def test_what_is_incomplete_or_damaged_is_refused(path: Path) -> None:
    damage_description(path, shape=[4, 8, 8, 3])
    with pytest.raises(DataError, match=r"holds uint8 \(3, 8, 8, 3\)"):
        Store.open(path, preprocess=RGB8)
    damage_description(path, shape=[3, 8, 8, 3], labels=[0])
    with pytest.raises(DataError, match="holds uint8"):
        Store.open(path, preprocess=RGB8)
    damage_description(path, schema="other")
    with pytest.raises(DataError, match="no description of schema"):
        Store.open(path, preprocess=RGB8)
    path.with_name("pixels.npy.json").unlink()
    with pytest.raises(DataError, match="is incomplete"):
        Store.open(path, preprocess=RGB8)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\0", b"garbage" * 100])
def test_pixels_that_were_damaged_are_refused(content: bytes, path: Path) -> None:
    path.write_bytes(content)

    with pytest.raises(DataError, match="cannot be read"):
        Store.open(path, preprocess=RGB8)


def test_pixels_cut_short_are_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(DataError, match="cannot be read"):
        Store.open(path, preprocess=RGB8)


def test_without_seal_nothing_remains(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "pixels.npy", count=3, preprocess=RGB8):
        assert len(list(tmp_path.iterdir())) == 1

    assert list(tmp_path.iterdir()) == []


def test_an_old_store_stays_until_the_new_one_is_sealed(path: Path) -> None:
    with StoreWriter(path, count=1, preprocess=RGB8) as writer:
        assert len(Store.open(path, preprocess=RGB8, fingerprint="abc").images) == 3
        writer.seal(LABELS[:1], fingerprint="new")

    assert len(Store.open(path, preprocess=RGB8, fingerprint="new").images) == 1
    assert sorted(p.name for p in path.parent.iterdir()) == ["pixels.npy", "pixels.npy.json"]


def test_no_pictures_are_a_store_too(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "pixels.npy", count=0, preprocess=RGB8) as writer:
        store = writer.seal(LABELS[:0], fingerprint="")

    assert store.images.shape == (0, 8, 8, 3)


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free

    with pytest.raises(WriteError, match="only .* are free") as raised:  # noqa: RUF043
        StoreWriter(tmp_path / "pixels.npy", count=free // (8 * 8 * 3) + 1_000_000, preprocess=RGB8)
    assert "--size" in (raised.value.hint or "")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="cannot write"):
        StoreWriter(tmp_path / "no" / "pixels.npy", count=1, preprocess=RGB8)


def test_a_disk_that_fills_up_meanwhile_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(WriteError, match="No space left"):
        StoreWriter(tmp_path / "pixels.npy", count=1, preprocess=RGB8)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()

    with StoreWriter(tmp_path / "pixels.npy", count=1, preprocess=RGB8) as writer:
        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(WriteError, match="No space left"):
            writer.seal(LABELS[:1], fingerprint="")
    assert list(tmp_path.iterdir()) == []


def test_a_system_that_cannot_reserve_room_is_served_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("os.posix_fallocate")
    with StoreWriter(tmp_path / "pixels.npy", count=2, preprocess=RGB8) as writer:
        assert len(writer.seal(LABELS[:2], fingerprint="").images) == 2


@given(seed=st.integers(0, 1000), count=st.integers(1, 40), channels=st.integers(1, 4))
def test_statistics_are_numpys_mean_and_deviation(seed: int, count: int, channels: int) -> None:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (40, 3, 2, channels), dtype=np.uint8)
    indices = random.choice(40, count, replace=False)

    mean, std = channel_statistics(images, indices)

    chosen = images[indices] / 255
    assert mean == pytest.approx(chosen.mean(axis=(0, 1, 2)), abs=5.1e-5)
    assert std == pytest.approx(chosen.std(axis=(0, 1, 2)), abs=5.1e-5)
    assert all(round(value, 4) == value for value in mean + std)


def test_statistics_of_many_pictures_go_in_pieces() -> None:
    images = np.zeros((2500, 1, 1, 1), np.uint8)
    images[1250:] = 255

    assert channel_statistics(images, np.arange(2500)) == ((0.5,), (0.5,))
    assert channel_statistics(images, np.arange(1250)) == ((0.0,), (0.01,))


def test_statistics_of_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="at least one picture"):
        channel_statistics(np.zeros((1, 2, 2, 1), np.uint8), np.array([], np.int64))
