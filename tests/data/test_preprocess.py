"""data.preprocess: one way from bytes to the model's input; the middle square, averaged, bit for bit."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from foveal.core.errors import ImageError, UsageError
from foveal.data.decode import decode
from foveal.data.preprocess import Preprocess, decoder

Pixels = Callable[..., np.ndarray]
Encode = Callable[..., bytes]


def preprocess(size: int = 8, channels: int = 3) -> Preprocess:
    return Preprocess(size=size, channels=channels, mean=(0.5,) * channels, std=(0.25,) * channels)


@given(
    height=st.integers(1, 40), width=st.integers(1, 40), size=st.integers(8, 24), channels=st.integers(1, 5)
)
def test_any_picture_becomes_a_square_of_the_models_size(
    height: int, width: int, size: int, channels: int
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)

    got = preprocess(size, channels)(picture)

    assert got.shape == (size, size, channels)
    assert got.dtype == np.uint8
    assert got.flags.c_contiguous
    assert got.min() >= picture.min()
    assert got.max() <= picture.max()


def test_a_picture_of_the_right_size_stays_as_it_is(pixels: Pixels) -> None:
    assert np.array_equal(preprocess(16)(pixels(16, 16)), pixels(16, 16))


def test_halving_averages_as_pillow_does(pixels: Pixels) -> None:
    expected = np.asarray(Image.fromarray(pixels(32, 32)).resize((16, 16), Image.Resampling.BILINEAR))

    assert np.array_equal(preprocess(16)(pixels(32, 32)), expected)


@pytest.mark.parametrize("long", [0, 1])
def test_the_middle_square_is_kept(long: int) -> None:
    strip = np.zeros((16, 48, 1), np.uint8)
    strip[:, 16:32] = 200
    picture = strip if long else strip.transpose(1, 0, 2)

    got = preprocess(16, 1)(picture)

    assert (got == 200).all()


def test_each_channel_is_resized_like_a_grey_picture(pixels: Pixels) -> None:
    both = preprocess(8, 3)(pixels(20, 30))

    alone = [preprocess(8, 1)(pixels(20, 30)[:, :, c : c + 1])[:, :, 0] for c in range(3)]

    assert np.array_equal(both, np.stack(alone, axis=2))


def test_bytes_take_the_same_way_as_pixels(pixels: Pixels, encode: Encode) -> None:
    content = encode(pixels(40, 30), "JPEG")

    assert np.array_equal(preprocess().from_bytes(content), preprocess()(decode(content, 3)))
    assert preprocess(8, 1).from_bytes(content).shape == (8, 8, 1)
    assert np.array_equal(preprocess(16).from_bytes(encode(pixels(16, 16))), pixels(16, 16))
    with pytest.raises(ImageError, match="empty"):
        preprocess().from_bytes(b"")


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4), np.uint8),
        np.zeros((3, 4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.array([[["a"] * 3]], dtype=object),
    ],
)
def test_other_arrays_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(UsageError, match="got"):
        preprocess()(wrong)


def test_strides_do_not_matter(pixels: Pixels) -> None:
    turned = pixels(20, 30)[::-1, ::-1]

    assert np.array_equal(preprocess()(turned), preprocess()(turned.copy()))


def test_json_there_and_back_is_the_same() -> None:
    assert Preprocess.model_validate_json(preprocess().model_dump_json()) == preprocess()
    assert preprocess().decoder == decoder()


def test_the_digest_is_about_the_pixels_alone() -> None:
    for name in ("mean", "std"):
        other = preprocess().model_copy(update={name: (0.1, 0.2, 0.3)})
        assert other.pixels_digest == preprocess().pixels_digest
    assert preprocess(16).pixels_digest != preprocess().pixels_digest
    assert preprocess(8, 1).pixels_digest != preprocess().pixels_digest


def test_the_whole_picture_may_be_wanted() -> None:
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 12:] = 200  # the right half

    seen = preprocess(8).model_copy(update={"resize": "whole"})(wide)

    assert (seen[:, :3] == 0).all()
    assert (seen[:, 5:] == 200).all()
    assert seen.shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"mean": (0.5,)}, "need 3 values"),
        ({"std": (0.5, 0.0, 0.5)}, "std must be above 0"),
        ({"size": 4}, "greater than or equal to 8"),
        ({"resize": "stretch"}, "shorter_side_center_crop"),
        ({"crop": 1}, "Extra inputs"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, object], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        Preprocess.model_validate({**preprocess().model_dump(), **change})
