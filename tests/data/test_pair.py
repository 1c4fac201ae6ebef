"""data.pair: both files in one content, and pixels that show picture, template and what differs."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from boards import board, seen, with_defects
from foveal.bundle.inputs import Pair, measured, source
from foveal.core.errors import ImageError
from foveal.data.decode import decode
from foveal.data.pair import PairPicture, is_pair, joined, parted
from foveal.data.preprocess import Preprocess


def png(pixels: np.ndarray) -> bytes:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    return held.getvalue()


@pytest.fixture(scope="module")
def pictures() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    clean = board(rng)
    return with_defects(clean, rng)[0], seen(clean, rng)


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_what_was_joined_is_parted_again(inspected: bytes, template: bytes) -> None:
    content = joined(inspected, template)

    assert is_pair(content)
    assert parted(content) == (inspected, template)


def test_pairs_of_other_pictures_have_other_contents() -> None:
    assert joined(b"ab", b"c") != joined(b"a", b"bc")


@pytest.mark.parametrize("kept", [14, 20, 22, 25])
def test_a_pair_that_ends_early_is_refused(kept: int) -> None:
    with pytest.raises(ImageError) as refused:
        parted(joined(b"a picture", b"")[:kept])

    assert refused.value.code == "truncated"


def test_a_picture_alone_lacks_its_template(pictures: tuple[np.ndarray, np.ndarray]) -> None:
    preprocess = Preprocess(size=32, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3, pair="registered")

    with pytest.raises(ImageError) as refused:
        preprocess.from_bytes(png(pictures[0]))

    assert refused.value.code == "no_template"


def test_layers_are_picture_template_and_difference(pictures: tuple[np.ndarray, np.ndarray]) -> None:
    inspected, template = pictures

    layers = PairPicture(joined(png(inspected), png(template))).decode(3)

    assert np.array_equal(layers[:, :, 0], inspected)
    assert np.array_equal(layers[:, :, 1], template)
    assert np.array_equal(layers[:, :, 2], np.abs(inspected.astype(int) - template))


def test_coloured_pairs_have_three_channels_in_each_layer(pictures: tuple[np.ndarray, np.ndarray]) -> None:
    inspected, template = (np.stack([one, one // 2, 255 - one], axis=2) for one in pictures)
    picture = PairPicture(joined(png(inspected), png(template)))

    layers = picture.decode(9)

    assert picture.header().channels == 9
    assert np.array_equal(layers[:, :, :3], inspected)
    assert np.array_equal(layers[:, :, 6:], np.abs(inspected.astype(int) - template))


def test_with_one_channel_it_is_the_inspected_picture(pictures: tuple[np.ndarray, np.ndarray]) -> None:
    content = joined(png(pictures[0]), png(pictures[1]))

    assert np.array_equal(PairPicture(content).decode(1), decode(png(pictures[0]), 1))


def test_a_template_of_another_size_is_scaled_and_of_another_shape_refused() -> None:
    clean = board(np.random.default_rng(1), side=160)
    half = np.asarray(Image.fromarray(clean).reduce(2))

    layers = PairPicture(joined(png(clean), png(half))).decode(3)

    assert layers.shape == (160, 160, 3)
    assert layers[:, :, 2].mean() < 10
    with pytest.raises(ImageError) as refused:
        PairPicture(joined(png(clean), png(clean[:100]))).decode(3)
    assert refused.value.code == "other_shape"


def test_in_the_grey_around_a_pair_nothing_differs(pictures: tuple[np.ndarray, np.ndarray]) -> None:
    unit = (0.5,) * 3
    preprocess = Preprocess(
        size=64, width=96, channels=3, resize="letterbox", mean=unit, std=unit, pair="registered"
    )
    content = joined(png(pictures[0]), png(pictures[1]))

    at_size, size = preprocess.measured(content)

    assert size == (160, 160)
    assert at_size.shape == (64, 96, 3)
    assert at_size[:, :64, 2].any()
    assert not at_size[:, 64:, 2].any()
    assert np.array_equal(at_size, preprocess(PairPicture(content).decode(3)))


def test_a_pair_is_an_input_by_path_or_content(
    tmp_path: Path, pictures: tuple[np.ndarray, np.ndarray]
) -> None:
    preprocess = Preprocess(size=64, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3, pair="registered")
    files = [tmp_path / "board.png", tmp_path / "good.png"]
    for path, pixels in zip(files, pictures, strict=True):
        path.write_bytes(png(pixels))
    whole = joined(png(pictures[0]), png(pictures[1]))

    by_path, by_content = Pair(*files), Pair(png(pictures[0]), png(pictures[1]))

    expected = preprocess.measured(whole)[0]
    assert np.array_equal(measured(by_path, preprocess)[0], expected)
    assert np.array_equal(measured(by_content, preprocess)[0], expected)
    assert (source(by_path, 4), source(by_content, 4)) == (str(files[0]), "#4")


def test_a_pair_changes_the_digest_of_pixels_and_nothing_else_does() -> None:
    plain = Preprocess(size=64, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3)
    paired = plain.model_copy(update={"pair": "registered"})

    assert "pair" not in plain.model_dump()
    assert plain.pixels_digest != paired.pixels_digest
    with pytest.raises(ValueError, match="3 layers"):
        Preprocess(size=64, channels=4, mean=(0.5,) * 4, std=(0.5,) * 4, pair="registered")
