"""bundle.inputs: what a predictor takes, and how it says no."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.bundle.inputs import picture, pixels, source
from foveal.core.errors import ImageError, NotFoundError, UsageError
from foveal.data.preprocess import Preprocess

RGB = Preprocess(size=16, channels=3, mean=(0, 0, 0), std=(1, 1, 1))
GREY = Preprocess(size=16, channels=1, mean=(0,), std=(1,))
ARRAY = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.fixture
def png(tmp_path):
    Image.fromarray(ARRAY).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_path_bytes_and_pixels_give_the_same_input(png) -> None:
    expected = RGB(ARRAY)

    for item in (png, str(png), png.read_bytes(), ARRAY):
        assert np.array_equal(pixels(item, RGB), expected)


def test_grey_and_rgb_turn_into_each_other_as_they_do_for_files(png) -> None:
    grey = ARRAY[:, :, 0]

    assert np.array_equal(pixels(grey, RGB), RGB(np.repeat(grey[:, :, None], 3, axis=2)))
    assert np.array_equal(pixels(grey[:, :, None], GREY), pixels(grey, GREY))
    assert np.array_equal(pixels(ARRAY, GREY), pixels(png, GREY))


@pytest.mark.parametrize(
    "view", [ARRAY[::-1], ARRAY[:, ::-1], ARRAY[::2, ::3], np.asfortranarray(ARRAY), ARRAY[:, :, ::-1]]
)
def test_any_strides_will_do(view) -> None:
    assert np.array_equal(pixels(view, RGB), RGB(view.copy(order="C")))


@pytest.mark.parametrize(
    ("array", "message", "hint"),
    [
        (np.zeros((4, 4, 3)), "must be uint8 from 0 to 255; got float64", r"\* 255"),
        (np.full((4, 4, 3), np.nan, np.float32), "got float32", r"clip\(0, 255\)"),
        (np.zeros((4, 4), np.uint16), "got uint16", ">> 8"),
        (np.zeros((4, 4), np.int64), "got int64", r"astype\('uint8'\)"),
        (np.zeros((4, 4), bool), "got bool", r"\* 255"),
        (np.array([["a.jpg"]], dtype=object), "got object", "a list of arrays"),
        (np.zeros((4, 4), "c8"), "got complex64", "give numbers"),
        (np.zeros((3, 40, 40), np.uint8), r"channels last; got \(3, 40, 40\)", r"transpose\(1, 2, 0\)"),
        (np.zeros(7, np.uint8), r"got \(7,\)", "several pictures as a list"),
        (np.zeros((), np.uint8), r"got \(\)", "several pictures as a list"),
        (np.zeros((0, 4, 3), np.uint8), r"none of them 0; got \(0, 4, 3\)", "several pictures"),
    ],
    ids=str,
)
def test_other_arrays_are_refused_with_how_to_convert_them(array, message, hint) -> None:
    with pytest.raises(ImageError, match=message) as caught:
        picture(array)

    assert caught.value.code == "bad_array"
    assert re.search(hint, caught.value.hint)


def test_transparency_in_an_array_is_not_guessed_away() -> None:
    with pytest.raises(ImageError, match="4 channels cannot become 3"):
        pixels(np.zeros((4, 4, 4), np.uint8), RGB)


@pytest.mark.parametrize(
    "item", [None, 3, [ARRAY], Image.fromarray(ARRAY), bytearray(b"x")], ids=lambda item: type(item).__name__
)
def test_other_things_are_refused(item) -> None:
    with pytest.raises(UsageError, match="a path, the bytes of a picture file or a uint8 array; got"):
        pixels(item, RGB)


def test_missing_file_is_named() -> None:
    with pytest.raises(NotFoundError, match=r"there is no nix\.png"):
        pixels("nix.png", RGB)


def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe.png")

    for path in (tmp_path / "pipe.png", tmp_path, Path("/dev/null")):
        with pytest.raises(ImageError, match="no regular file") as caught:
            pixels(path, RGB)
        assert caught.value.code == "not_regular"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a\0b.png", r"no file can be called 'a\\x00b\.png'"),
        ("x" * 300 + ".png", "cannot read x.*: File name too long"),
    ],
    ids=["NUL", "long"],
)
def test_name_no_file_can_have_is_an_unreadable_picture(name, message) -> None:
    with pytest.raises(ImageError, match=message) as caught:
        pixels(name, RGB)
    assert caught.value.code == "io_error"


def test_file_above_the_limit_is_not_read_whole(tmp_path) -> None:
    with (tmp_path / "sparse.png").open("wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(ImageError, match="are more than the") as caught:
        pixels(tmp_path / "sparse.png", RGB)
    assert caught.value.code == "too_many_bytes"


def test_source_is_the_path_or_the_number() -> None:
    assert source("a/b.png", 0) == "a/b.png"
    assert source(Path("a/b.png"), 0) == "a/b.png"
    assert source(b"...", 2) == "#2"
    assert source(ARRAY, 3) == "#3"
    assert source(os.fsdecode(b"\xe4.png"), 0) == r"\xe4.png"
