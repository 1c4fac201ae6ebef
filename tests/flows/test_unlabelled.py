"""flows._unlabelled: every content once, whatever the files are called and wherever they lie."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.core.errors import NotFoundError
from foveal.core.progress import silent
from foveal.data.dataset import content_hash
from foveal.data.preprocess import Preprocess
from foveal.flows import _unlabelled

PREPROCESS = Preprocess(size=8, channels=3, mean=(0.5,) * 3, std=(0.25,) * 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve different pictures in two folders."""
    rng = np.random.default_rng(0)
    for number in range(12):
        place = tmp_path / "photos" / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(place / f"{number}.png")
    return tmp_path / "photos"


def find(*named):
    return _unlabelled.find(named, seed=0, progress=silent)


def contents(folder: Path) -> set[str]:
    return {content_hash(path.read_bytes()) for path in folder.rglob("*.png")}


def test_every_picture_below_a_folder_is_there_once(folder) -> None:
    found = find(folder)

    assert set(found.hashes) == contents(folder)
    assert list(found.hashes) == sorted(found.hashes)
    assert [content_hash(found.dataset.read(i).content) for i in range(12)] == list(found.hashes)
    assert (found.copies, found.left_out) == (0, 0)


def test_names_order_and_container_change_nothing(folder, tmp_path) -> None:
    files = sorted(folder.rglob("*.png"))
    flat = tmp_path / "flat"
    flat.mkdir()
    for number, path in enumerate(reversed(files)):
        shutil.copy(path, flat / f"other{number}.png")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        for path in files:
            packed.write(path, path.name)

    found = [find(folder), find(flat), find(*files), find(*folder.iterdir()), find(tmp_path / "all.zip")]

    assert len({one.fingerprint for one in found}) == 1
    assert len({one.hashes for one in found}) == 1


def test_another_picture_is_another_fingerprint(folder) -> None:
    before = find(folder).fingerprint
    (folder / "a" / "0.png").unlink()

    assert find(folder).fingerprint != before


def test_copies_and_what_cannot_be_read_change_no_other_picture(folder) -> None:
    before = find(folder)
    shutil.copy(folder / "a" / "0.png", folder / "copy.png")
    missing = folder / "missing.png"

    found = find(folder, missing)

    assert (found.copies, found.fingerprint) == (1, before.fingerprint)
    assert found.hashes == (*before.hashes, "")
    assert found.dataset.sources[-1] == str(missing)


def test_a_data_set_of_any_format_gives_its_pictures(tmp_path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "set.npz", images=pixels, labels=np.arange(10) % 2)

    found = find(tmp_path / "set.npz")

    assert sorted(found.hashes) == sorted(content_hash(one.tobytes()) for one in pixels)


def test_too_many_are_drawn_by_lot_and_the_rest_is_counted(folder, monkeypatch) -> None:
    monkeypatch.setattr(_unlabelled, "MOST", 5)

    found = find(folder)

    assert (len(found.hashes), found.left_out) == (5, 7)
    assert set(found.hashes) < contents(folder)
    assert found.hashes == find(folder).hashes


def test_the_store_holds_what_the_model_sees_and_says_what_is_no_picture(folder, tmp_path) -> None:
    (folder / "broken.png").write_bytes(b"no picture")
    found = find(folder)

    store, unusable = _unlabelled.stored(found, tmp_path / "pixels.npy", PREPROCESS, progress=silent)

    [why] = unusable
    assert why.startswith(str(folder / "broken.png"))
    assert (store.labels == -1).sum() == 1
    for place in np.flatnonzero(store.labels >= 0):
        expected = PREPROCESS.from_bytes(found.dataset.read(int(place)).content)
        assert np.array_equal(store.images[place], expected)


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_nothing_there_is_not_found(name, tmp_path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(NotFoundError, match=name):
        find(tmp_path / name)
