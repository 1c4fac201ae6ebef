"""flows._unlabelled: every content once, whatever the files are called and wherever they lie."""

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import films
from foveal.core.errors import NotFoundError
from foveal.core.progress import silent
from foveal.data.clip import Clip
from foveal.data.clips import showing
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


def test_too_many_are_drawn_by_lot_and_the_rest_is_counted(folder) -> None:
    found, again = (_unlabelled.find([folder], most=5, seed=0, progress=silent) for _ in range(2))

    assert (len(found.hashes), found.left_out) == (5, 7)
    assert set(found.hashes) < contents(folder)
    assert found.hashes == again.hashes
    assert _unlabelled.find([folder], most=None, seed=0, progress=silent).left_out == 0


def test_the_store_holds_what_the_model_sees_and_says_what_is_no_picture(folder, tmp_path) -> None:
    (folder / "broken.png").write_bytes(b"no picture")
    found = find(folder)

    stored = _unlabelled.stored(found, tmp_path / "pixels.npy", PREPROCESS, progress=silent)
    store, unusable = stored.store, stored.unusable

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


def test_too_many_files_with_copies_never_give_a_content_twice(folder) -> None:
    for path in sorted(folder.rglob("*.png")):
        shutil.copy(path, folder / f"copy-{path.name}")

    for seed in range(5):
        found = _unlabelled.find([folder], most=14, seed=seed, progress=silent)

        assert len(set(found.hashes)) == len(found.hashes) == 14 - found.copies
        assert found.left_out == 10


def units_by_content(found) -> set[frozenset[str]]:
    pairs = list(zip(found.units.tolist(), found.hashes, strict=True))
    return {frozenset(content for unit, content in pairs if unit == one) for one in dict(pairs)}


def test_a_list_says_what_belongs_together_and_is_part_of_what_is_asked(folder, tmp_path) -> None:
    before = find(folder)
    listed = ["a/0.png", "a/2.png", "b/1.png"]
    (folder / "groups.csv").write_text("picture,group\n" + "".join(f"{name},track\n" for name in listed))

    found = find(folder)

    track = frozenset(content_hash((folder / name).read_bytes()) for name in listed)
    others = contents(folder) - track
    assert units_by_content(found) == {track, *(frozenset([one]) for one in others)}
    assert found.hashes == before.hashes
    assert found.fingerprint != before.fingerprint
    moved = Path(shutil.copytree(folder, tmp_path / "moved"))
    (moved / "a" / "0.png").rename(moved / "a" / "renamed.png")
    table = (moved / "groups.csv").read_text().replace("a/0.png", "a/renamed.png").replace("track", "7")
    (moved / "groups.csv").write_text(table)
    assert find(moved).fingerprint == found.fingerprint, "names change nothing"


def test_copies_of_one_content_link_the_groups_that_they_are_in(folder) -> None:
    shutil.copy(folder / "a" / "0.png", folder / "b" / "copy.png")
    rows = ["a/0.png,one", "a/2.png,one", "b/copy.png,two", "b/1.png,two"]
    (folder / "groups.csv").write_text("\n".join(["picture,group", *rows]))

    linked = max(units_by_content(find(folder)), key=len)

    assert linked == {
        content_hash((folder / name).read_bytes()) for name in ("a/0.png", "a/2.png", "b/1.png")
    }


def test_the_groups_of_a_data_set_count(tmp_path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    patient = np.array(["p", "q", "p", "r", "q", "s"])
    np.savez(tmp_path / "set.npz", images=pixels, labels=np.arange(6) % 2, patient=patient)

    assert sorted(map(len, units_by_content(find(tmp_path / "set.npz")))) == [1, 1, 2, 2]


def scene(seed: int) -> Image.Image:
    """A smooth picture that resembles no other."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC)


def brought(folder: Path, store: Path):
    store.mkdir()
    found = find(folder)
    return found, _unlabelled.stored(found, store / "pixels.npy", PREPROCESS, progress=silent)


def test_near_copies_belong_together_and_with_the_groups_of_either(tmp_path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in range(80):
        scene(seed).save(photos / f"{seed}.png")
    again = {
        0: scene(0),
        1: scene(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        2: scene(2).resize((32, 32)),
    }
    for seed, picture in again.items():
        picture.save(photos / f"again-{seed}.jpg", quality=85)
    (photos / "groups.csv").write_text("picture,group\nagain-0.jpg,g\n79.png,g\n")

    found, stored = brought(photos, tmp_path / "store")

    name = {
        content: Path(source).name
        for content, source in zip(found.hashes, found.dataset.sources, strict=True)
    }
    linked = {frozenset(map(name.get, unit)) for unit in units_by_content(stored_units(found, stored))}
    assert {unit for unit in linked if len(unit) > 1} == {
        frozenset({"0.png", "again-0.jpg", "79.png"}),
        frozenset({"1.png", "again-1.jpg"}),
        frozenset({"2.png", "again-2.jpg"}),
    }
    assert stored.alike == 0


def stored_units(found, stored):
    return replace(found, units=stored.units)


def test_pictures_of_one_kind_are_told_and_not_taken_for_copies(tmp_path) -> None:
    """Twenty parts before one camera: hardly a pixel differs, and each is another part."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(20):
        part = np.array(scene(0))
        part[number : number + 3, 20:23] = 255
        Image.fromarray(part).save(photos / f"{number}.png")

    _, stored = brought(photos, tmp_path / "store")

    assert stored.alike == 20
    assert len(np.unique(stored.units)) == 20


def test_of_films_and_pictures_those_are_found_that_are_looked_for(folder, tmp_path) -> None:
    pytest.importorskip("av")
    for number in range(3):
        films.write(folder / f"film{number % 2}_{number}.mkv", films.counting(5 + number % 2))
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as packed:
        for path in folder.glob("*.mkv"):
            packed.write(path, path.name)

    for named in (folder, tmp_path / "films.zip", *folder.glob("film1*.mkv")):
        found = _unlabelled.find([named], films=True, seed=0, progress=silent)
        assert all(source.endswith(".mkv") for source in found.dataset.sources)
        shown = showing(found.dataset, Clip(frames=4))
        assert {shown.read(i).decode(3).shape for i in range(len(shown))} == {(4, 16, 16, 3)}
    assert len(find(folder).dataset) == 12


def test_who_looks_for_films_is_told_that_there_are_none(folder) -> None:
    with pytest.raises(NotFoundError, match="no film in"):
        _unlabelled.find([folder], films=True, seed=0, progress=silent)
