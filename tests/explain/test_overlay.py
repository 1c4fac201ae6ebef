"""explain.overlay: a map that can be read on any picture, by its lightness alone."""

import numpy as np
import pytest

from foveal.explain.overlay import colours, overlay, ramp, shares


def lightness(rgb: np.ndarray) -> np.ndarray:
    """Return CIE L* of sRGB colours, from its definition."""
    share = rgb / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    y = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * (29 / 3) ** 3)


def spread(rgb: np.ndarray) -> np.ndarray:
    """Return how far a colour is from grey."""
    return rgb.max(axis=-1).astype(int) - rgb.min(axis=-1)


def test_the_ramp_rises_in_lightness_by_equal_steps() -> None:
    steps = np.diff(lightness(ramp()[::15]))

    assert ramp().shape == (256, 3)
    assert (steps > 0).all()
    assert steps.max() < 2 * steps.min()
    assert lightness(ramp())[-1] - lightness(ramp())[0] > 55


@pytest.mark.parametrize(("size", "side"), [(8, 192), (28, 196), (192, 192), (224, 224)])
def test_a_picture_of_any_size_can_be_seen(size: int, side: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)

    assert overlay(image, np.ones((4, 4))).shape == (side, side, 3)


@pytest.mark.parametrize("fill", [0, 128, 255])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_the_strongest_place_is_seen_on_any_picture(fill: int, channels: int) -> None:
    heatmap = np.zeros((16, 16))
    heatmap[2, 3] = 5.0

    drawn = overlay(np.full((192, 192, channels), fill, np.uint8), heatmap)

    assert spread(drawn[30, 42]) > 80
    assert spread(drawn[150, 150]) == 0
    assert lightness(drawn[30, 42]) > 75


def test_what_speaks_against_the_class_stays_grey_and_a_level_map_too() -> None:
    image = np.random.default_rng(0).integers(0, 256, (192, 192, 3), dtype=np.uint8)

    assert (spread(overlay(image, -np.ones((4, 4)))) == 0).all()
    assert (spread(overlay(image, np.zeros((4, 4)))) == 0).all()


def test_shares_are_of_the_largest_value() -> None:
    np.testing.assert_allclose(shares(np.array([[-2.0, 0.0], [1.0, 4.0]])), [[0, 0], [0.25, 1]])
    assert np.array_equal(colours(np.array([[0.0, 7.0]]))[0], ramp()[[0, 255]])
