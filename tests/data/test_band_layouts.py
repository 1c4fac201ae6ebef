"""Data sets of bands, however they lie: class folders, tables, NumPy archives, a folder for each band."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import bands
from foveal.core.errors import DataError, ImageError
from foveal.data import inventory, opening, ranges
from foveal.data import split as splits
from foveal.data.check import check
from foveal.data.dataset import Dataset
from foveal.data.sizing import suggest_channels
from foveal.flows.data_convert import convert


def values(data: Dataset, index: int) -> np.ndarray:
    return data.read(index).values()


@pytest.mark.parametrize("suffix", ["tif", "npy"])
def test_class_folders_of_stacks(suffix: str, tmp_path: Path) -> None:
    folder = bands.write_folders(tmp_path / "data", suffix=suffix)

    data = opening.open(folder)

    assert (data.format, data.classes, data.band_names) == ("image_folder", bands.CLASSES, bands.NAMES)
    assert len(data) == sum(bands.SPLITS.values())
    assert data.ignored == ()
    assert suggest_channels(data) == 5
    assert values(data, 0).dtype == np.uint16
    stored, labels = bands.stacks(bands.SPLITS["train"], seed=0)
    assert np.array_equal(values(data, 0), stored[np.flatnonzero(labels == 0)[0]])


def test_arrays_beside_pictures_are_no_pictures(tmp_path: Path) -> None:
    for name in bands.CLASSES:
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / name / "a.png")
        np.save(tmp_path / name / "a.npy", np.zeros((8, 8, 5), np.uint16))

    data = opening.open(tmp_path)

    assert data.sources == ("dry/a.png", "wet/a.png")
    assert ranges.fitted(data) is None
    assert suggest_channels(data) == 3


def test_one_stack_among_pictures_is_a_picture_that_cannot_be_used(tmp_path: Path) -> None:
    for name in bands.CLASSES:
        (tmp_path / name).mkdir()
        for index in range(3):
            Image.effect_noise((9, 8), 60).convert("RGB").save(tmp_path / name / f"{index}.png")
    (tmp_path / "dry" / "stack.tif").write_bytes(bands.tiff(np.zeros((8, 8, 5), np.uint16)))
    data = opening.open(tmp_path)

    taken = inventory.take(data)

    assert suggest_channels(data) == 3
    assert [error.code for error in taken.error if error] == ["other_bands"]


def test_a_table_names_stacks(tmp_path: Path) -> None:
    stored, labels = bands.stacks(4)
    for index, one in enumerate(stored):
        (tmp_path / f"{index}.tif").write_bytes(bands.tiff(one))
    rows = [f"{index}.tif,{bands.CLASSES[label]}" for index, label in enumerate(labels)]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *rows]))
    (tmp_path / "bands.txt").write_text("\n".join(bands.NAMES))

    data = opening.open(tmp_path)

    assert (data.format, data.band_names) == ("csv_manifest", bands.NAMES)
    found = {int(source.partition(".")[0]): values(data, place) for place, source in enumerate(data.sources)}
    assert all(np.array_equal(found[index], stored[index]) for index in range(4))


@pytest.mark.parametrize("kind", ["uint16", "int16", "float32"])
def test_numpy_archives_hold_stacks_of_any_type(kind: str, tmp_path: Path) -> None:
    stored, labels = bands.stacks(6, kind=kind)
    np.savez(tmp_path / "fruit.npz", images=stored, labels=labels, band_names=bands.NAMES)

    data = opening.open(tmp_path)
    found = ranges.fitted(data)

    assert (data.format, data.band_names) == ("npz", bands.NAMES)
    assert data.ignored == ()
    assert found is not None
    assert found.kind == kind
    shown = ranges.ranged(data, found)
    assert np.array_equal(shown.read(2).decode(5), found.mapped(stored[2]))
    with pytest.raises(ImageError, match="nobody says their ranges"):
        data.read(2).decode(5)


def test_bytes_of_an_archive_stay_what_they_were(tmp_path: Path) -> None:
    stored, labels = bands.stacks(6, kind="uint8")
    np.savez(tmp_path / "fruit.npz", images=stored, labels=labels)
    data = opening.open(tmp_path)

    assert ranges.fitted(data) is None, "such recognizers take pixels, as before"
    assert np.array_equal(data.read(1).decode(5), stored[1])


def write_band_folders(folder: Path, *, count: int = 6, names=bands.NAMES) -> np.ndarray:
    """Write a 16-bit PNG, TIFF or NPY for each band, and return the values."""
    stored, labels = bands.stacks(count)
    for place, name in enumerate(names):
        for index, label in enumerate(labels):
            file = folder / f"band_{name}" / bands.CLASSES[label] / f"{index}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            plane = stored[index, :, :, place]
            if place == 0:
                file.with_suffix(".tif").write_bytes(bands.tiff(plane, planarconfig=None))
            elif place == 1:
                np.save(file.with_suffix(".npy"), plane)
            else:
                Image.fromarray(plane).save(file)
    return stored[np.lexsort((np.arange(count), labels))]


def test_a_folder_for_each_band(tmp_path: Path) -> None:
    stored = write_band_folders(tmp_path)

    data = opening.open(tmp_path)

    assert (data.format, data.classes) == ("band_folders", bands.CLASSES)
    assert data.band_names == tuple(sorted(bands.NAMES))
    order = [bands.NAMES.index(name) for name in data.band_names]
    assert all(np.array_equal(values(data, i), stored[i][..., order]) for i in range(len(data)))
    assert data.ignored == ()
    assert data.read(0).content == data.read(0).content

    (tmp_path / "bands.txt").write_text("\n".join(bands.NAMES))
    again = opening.open(tmp_path)
    assert again.band_names == bands.NAMES
    assert all(np.array_equal(values(again, i), stored[i]) for i in range(len(again)))

    (tmp_path / "bands.txt").write_text("\n".join((*bands.NAMES[:-1], "thermal")))
    with pytest.raises(DataError, match="thermal"):
        opening.open(tmp_path)


def test_a_band_that_a_picture_lacks_is_said_of_that_picture(tmp_path: Path) -> None:
    write_band_folders(tmp_path)
    gone = sorted(tmp_path.glob("band_red/*/*.png"))[0]
    gone.unlink()
    wide = sorted(tmp_path.glob("band_edge/*/*.png"))[-1]
    Image.new("I;16", (20, 20)).save(wide)
    data = opening.open(tmp_path)

    shown = ranges.ranged(data, ranges.fitted(data))
    errors = [error.code for error in inventory.take(shown).error if error]

    assert sorted(errors) == ["bands_differ", "missing_band"]


def test_band_folders_become_class_folders_with_the_same_content(tmp_path: Path) -> None:
    write_band_folders(tmp_path / "folders")
    before = opening.open(tmp_path / "folders")

    convert(before, tmp_path / "stacks", to="image_folder")
    after = opening.open(tmp_path / "stacks")

    assert after.band_names == before.band_names
    assert [after.read(i).content for i in range(len(after))] == [
        before.read(i).content for i in range(len(before))
    ]


def findings(folder: Path) -> dict[str, str]:
    data = opening.open(folder)
    shown = ranges.ranged(data, ranges.fitted(data))
    taken = inventory.take(shown)
    found = check(shown, taken, splits.make(shown, taken, seed=0))
    return {one.code: one.message for one in found}


def test_check_names_bands_their_ranges_and_what_is_wrong_with_them(tmp_path: Path) -> None:
    folder = bands.write_folders(tmp_path / "data", suffix="npy")
    clean = findings(folder)
    assert "5 bands of uint16" in clean["bands"]
    assert "infrared" in clean["bands"]
    assert not {"dead_band", "saturated_band", "flat_band"} & set(clean)

    for path in folder.glob("*/*/*.npy"):
        one = np.load(path)
        one[..., 1] = 4242
        one[:3, :, 2] = 65_535
        np.save(path, one)
    spoilt = findings(folder)

    assert "everywhere: green." in spoilt["dead_band"]
    assert "red 18." in spoilt["saturated_band"]


def test_check_warns_of_bytes_that_use_few_levels(tmp_path: Path) -> None:
    folder = bands.write_folders(tmp_path / "data", kind="uint8", suffix="npy")
    for path in folder.glob("*/*/*.npy"):
        one = np.load(path)
        one[..., 3] //= 30
        np.save(path, one)

    assert "levels: edge." in findings(folder)["flat_band"]
