"""Bands and their ranges: what values become, what is refused, and that other bundles stay as they were."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import bands
from foveal.core.errors import DataError, ImageError, MissingExtraError
from foveal.data import opening, ranges
from foveal.data.bands import Bands
from foveal.data.preprocess import Preprocess


def two(kind: str = "uint16", low=(100.0, 0.0), high=(300.0, 65535.0)) -> Bands:
    return Bands(kind=kind, names=("red", "infrared"), low=low, high=high)


@given(
    st.integers(0, 60_000), st.integers(1, 5_000), st.lists(st.integers(0, 65_535), min_size=1, max_size=40)
)
def test_the_range_maps_linearly_and_what_lies_beyond_is_cut_off(
    low: int, wide: int, values: list[int]
) -> None:
    one = Bands(kind="uint16", names=("a",), low=(low,), high=(low + wide,))
    stored = np.array(values, np.uint16).reshape(1, -1, 1)

    mapped = one.mapped(stored)[0, :, 0]

    exact = [min(255.0, max(0.0, (value - low) * 255 / wide)) for value in values]
    assert np.abs(mapped - np.array(exact)).max() <= 0.5 + 1e-9
    order = np.argsort(values, kind="stable")
    assert (np.diff(mapped[order].astype(int)) >= 0).all(), "brighter never becomes darker"


@pytest.mark.parametrize("kind", ["uint16", "int16"])
def test_whole_numbers_become_what_the_same_floats_become(kind: str) -> None:
    stored, _ = bands.stacks(3, kind=kind)
    low, high = (float(stored[0].min()) + 7,) * 5, (float(stored[0].max()) - 900,) * 5

    whole = Bands(kind=kind, names=bands.NAMES, low=low, high=high).mapped(stored[0])
    float_ = Bands(kind="float32", names=bands.NAMES, low=low, high=high).mapped(stored[0].astype(np.float32))

    assert np.array_equal(whole, float_)
    assert whole.min() == 0
    assert whole.max() == 255


def test_bytes_stay_as_they_are() -> None:
    stored, _ = bands.stacks(1, kind="uint8")
    same = Bands(kind="uint8", names=bands.NAMES, low=(0,) * 5, high=(255,) * 5)

    assert same.is_identity
    assert np.array_equal(same.mapped(stored[0]), stored[0])


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (np.zeros((2, 2, 3), np.uint16), "other_bands"),
        (np.zeros((2, 2, 2), np.uint8), "other_bands"),
        (np.zeros((2, 2, 2), np.float32), "other_bands"),
    ],
)
def test_other_bands_are_refused_and_not_guessed(values: np.ndarray, code: str) -> None:
    with pytest.raises(ImageError) as caught:
        two().mapped(values)

    assert caught.value.code == code


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(odd: float) -> None:
    values = np.zeros((2, 2, 2), np.float32)
    values[1, 0, 1] = odd

    with pytest.raises(ImageError) as caught:
        two("float32").mapped(values)

    assert caught.value.code == "not_finite"


@pytest.mark.parametrize(
    "wrong",
    [
        {"low": (1.0,)},
        {"low": (300.0, 0.0)},
        {"names": ("red", "red")},
        {"names": ()},
        {"kind": "float64"},
        {"high": (float("inf"), 1.0)},
    ],
)
def test_ranges_that_say_nothing_are_no_bands(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        Bands(**{**two().model_dump(), **wrong})


def test_bundles_without_bands_keep_what_they_say_and_those_with_tell_it() -> None:
    plain = Preprocess(size=32, channels=2, mean=(0.5,) * 2, std=(0.5,) * 2)
    with_bands = plain.model_copy(update={"bands": two()})

    assert "bands" not in plain.model_dump()
    assert Preprocess.model_validate_json(with_bands.model_dump_json()) == with_bands
    assert json.loads(with_bands.model_dump_json())["bands"]["high"] == [300.0, 65535.0]
    assert plain.pixels_digest != with_bands.pixels_digest, "a store made otherwise is made anew"
    with pytest.raises(ValidationError, match="as many bands"):
        Preprocess(size=32, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3, bands=two())


@pytest.mark.parametrize("kind", ["uint16", "int16", "float32"])
def test_ranges_are_percentiles_of_the_pictures_that_count(kind: str, tmp_path) -> None:
    data = opening.open(bands.write_folders(tmp_path / "data", kind=kind, suffix="npy"))
    counted = np.flatnonzero(np.array(data.splits) == "train")

    found = ranges.fitted(data, counted)

    stored = np.concatenate([data.read(int(i)).values().reshape(-1, 5) for i in counted]).astype(float)
    low, high = np.quantile(stored, (0.001, 0.999), axis=0)
    assert found is not None
    assert found.names == bands.NAMES
    assert np.allclose(found.low, low, atol=1)
    assert np.allclose(found.high, high, atol=1)
    assert found == ranges.fitted(data, counted), "the same pixels are looked at each time"
    other = ranges.fitted(data, counted[:3])
    assert other != found, "pictures that do not count change nothing, those that do, do"


def test_one_reflection_takes_no_levels_from_the_rest(tmp_path) -> None:
    folder = bands.write_folders(tmp_path / "data", suffix="npy")
    spoilt = sorted(folder.glob("train/*/*.npy"))[0]
    values = np.load(spoilt)
    before = ranges.fitted(opening.open(folder))
    values[0, 0] = 65_535
    np.save(spoilt, values)

    after = ranges.fitted(opening.open(folder))

    assert before is not None
    assert after is not None
    assert max(after.high) < 1.02 * max(before.high)


def test_a_dead_band_has_a_range_all_the_same(tmp_path) -> None:
    for index in range(2):
        for name in bands.CLASSES:
            (tmp_path / "data" / name).mkdir(parents=True, exist_ok=True)
            np.save(tmp_path / "data" / name / f"{index}.npy", np.full((8, 8, 2), 7.5, np.float32))

    found = ranges.fitted(opening.open(tmp_path / "data"))

    assert found is not None
    assert found.mapped(np.full((1, 1, 2), 7.5, np.float32)).max() == 0


def test_names_that_do_not_fit_are_refused(tmp_path) -> None:
    folder = bands.write_folders(tmp_path / "data", suffix="npy")
    (folder / "bands.txt").write_text("blue\ngreen\n")
    with pytest.raises(DataError) as caught:
        ranges.fitted(opening.open(folder))
    assert caught.value.code == "band_names"

    (folder / "bands.txt").write_text("blue\nblue\n")
    with pytest.raises(DataError) as caught:
        opening.open(folder)
    assert caught.value.code == "band_names"


def test_without_the_extra_a_folder_of_tiff_says_what_to_install(tmp_path, monkeypatch) -> None:
    data = opening.open(bands.write_folders(tmp_path / "data"))
    monkeypatch.setattr("foveal.core.extras._is_there", lambda name: name != "tifffile")

    with pytest.raises(MissingExtraError, match=r"foveal\[bands\]"):
        ranges.fitted(data)
    with pytest.raises(ImageError) as caught:
        data.read(0).header()
    assert caught.value.code == "missing_extra"
