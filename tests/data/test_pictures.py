"""data.pictures: stored bytes and stored pixels answer the same questions."""

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from foveal.core.errors import ImageError
from foveal.data.dataset import content_hash
from foveal.data.decode import decode, header
from foveal.data.pictures import FilePicture, RawPicture

Pixels = Callable[..., np.ndarray]
Encode = Callable[..., bytes]


def test_a_file_picture_is_its_bytes(pixels: Pixels, encode: Encode) -> None:
    content = encode(pixels())
    picture = FilePicture(content)

    assert picture.content == content
    assert picture.header() == header(content)
    assert np.array_equal(picture.decode(3), decode(content, 3))
    assert picture.examine(1)[0] == picture.header()


def test_a_raw_picture_is_its_pixels(pixels: Pixels) -> None:
    picture = RawPicture(pixels())

    assert np.array_equal(picture.decode(3), pixels())
    assert picture.content == pixels().tobytes()
    assert picture.header() == ("raw", 32, 24, "RGB", 3, "")


def test_raw_grey_and_color_turn_into_each_other_as_files_do(pixels: Pixels, encode: Encode) -> None:
    color, grey = pixels(), np.asarray(Image.fromarray(pixels()).convert("L"))

    assert np.array_equal(RawPicture(color).decode(1), decode(encode(color), 1))
    assert np.array_equal(RawPicture(grey[:, :, None]).decode(3), decode(encode(grey), 3))


def test_other_numbers_of_channels_stay_what_they_are() -> None:
    picture = RawPicture(np.zeros((2, 3, 5), np.uint8))

    assert picture.examine(5)[1].shape == (2, 3, 5)
    assert picture.header().mode == "5 channels"
    with pytest.raises(ImageError, match="5 channels cannot become 3"):
        picture.decode(3)


def test_the_content_hash_is_sha256() -> None:
    assert content_hash(b"abc") == hashlib.sha256(b"abc").hexdigest()
