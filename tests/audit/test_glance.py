"""audit.glance: numbers of known pictures."""

import numpy as np
import pytest

from foveal.audit.glance import Glances


def test_a_grey_picture_has_the_numbers_of_its_levels(glance) -> None:
    pixels = np.zeros((40, 60, 1), dtype=np.uint8)
    pixels[:20] = 200

    seen = glance([pixels])

    assert seen.brightness[0] == pytest.approx(100 / 255)
    assert seen.contrast[0] == pytest.approx(100 / 255)
    assert seen.clipped[0] == pytest.approx(0.5)
    assert seen.thumbnails[0, :14].tolist() == [[200] * 32] * 14
    assert seen.thumbnails[0, -14:].tolist() == [[0] * 32] * 14


def test_color_is_weighed_as_eyes_do(glance) -> None:
    green = np.zeros((8, 8, 3), dtype=np.uint8)
    green[..., 1] = 255

    assert glance([green]).brightness[0] == pytest.approx(0.587, abs=0.01)


def test_sharpness_falls_with_blur_and_not_with_contrast(glance, make_scene) -> None:
    pixels = make_scene(0, side=64)
    blurred = pixels.astype(float)
    for axis in (0, 1):
        blurred = sum(np.roll(blurred, shift, axis) for shift in range(-2, 3)) / 5

    sharp, flat, soft = glance(
        [pixels, (pixels / 2 + 60).astype(np.uint8), blurred.astype(np.uint8)]
    ).sharpness

    assert flat == pytest.approx(sharp, rel=0.1)
    assert soft < 0.2 * sharp


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 50, 1), (2, 2, 3), (7, 5, 4), (300, 2, 3)])
def test_any_shape_can_be_looked_at(shape: tuple[int, int, int], glance) -> None:
    seen = glance([np.full(shape, 90, dtype=np.uint8)])

    assert (seen.thumbnails == 90).all()
    assert seen.contrast[0] == 0


def test_what_has_no_inner_pixels_has_no_sharpness(glance, make_scene) -> None:
    pixels = make_scene(0)

    seen = glance([pixels[:2], pixels[:, :1], pixels[:3, :3], np.full((7, 5, 3), 90, dtype=np.uint8)])

    assert np.isnan(seen.sharpness).tolist() == [True, True, False, False]
    assert seen.sharpness[3] == 0


def test_pictures_nobody_looked_at_are_zeros() -> None:
    assert not Glances.of(3).thumbnails.any()
