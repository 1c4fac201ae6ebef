"""data.pixels.agreement: pictures that agree, that lie beside each other, and that have nothing in common."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from foveal.data.pixels.agreement import agreement


def drawn(seed=0, side=160, channels=1):
    """Return rectangles on a ground, a little soft, as a board of traces is."""
    rng = np.random.default_rng(seed)
    pixels = np.full((side, side), 60, np.uint8)
    for _ in range(25):
        top, left = rng.integers(0, side - 30, 2)
        height, width = rng.integers(6, 30, 2)
        pixels[top : top + height, left : left + width] = rng.integers(120, 230)
    soft = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(1)))
    return np.repeat(soft[:, :, None], channels, axis=2)


def moved(image, down, right):
    return np.roll(image, (down, right), axis=(0, 1))


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("side", [24, 47, 160, 400])
def test_a_picture_agrees_with_itself_however_bright_it_is(side, channels) -> None:
    image = drawn(side=160, channels=channels)[:side, :side] if side < 160 else drawn(1, side, channels)
    found = agreement(image, (image * 0.5).astype(np.uint8))

    assert found["correlation"] > 0.99
    assert found["shift"] < (0.05 if side > 100 else 0.2)


@pytest.mark.parametrize(("down", "right"), [(0, 2), (-3, 0), (1, -1), (4, 5)])
def test_shift_is_the_length_of_what_one_was_moved_by(down, right) -> None:
    image = drawn(2, side=320)
    shift = agreement(image, moved(image, down, right))["shift"]

    assert shift == pytest.approx(np.hypot(down, right), abs=0.4)


def test_half_a_pixel_is_seen() -> None:
    image = drawn(3, side=320)
    half = ((image.astype(int) + moved(image, 0, 1)) // 2).astype(np.uint8)

    assert 0.3 < agreement(image, half)["shift"] < 0.7


def test_other_pictures_and_flat_ones_do_not_correlate() -> None:
    image = drawn(4, side=320)

    assert abs(agreement(image, drawn(5, side=320))["correlation"]) < 0.4
    assert agreement(image, np.full_like(image, 90)) == {"correlation": 0, "shift": pytest.approx(0)}
