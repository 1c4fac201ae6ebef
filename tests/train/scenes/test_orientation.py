"""train.scenes.orientation: streets stay upright, cells may be turned."""

import numpy as np
import pytest

from foveal.data.preprocess import GREY
from foveal.train.scenes.orientation import orientation


def noise(count: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 40, 48, 3), dtype=np.uint8)


def test_what_has_no_up_and_down_may_be_turned() -> None:
    images = noise(80)

    found = orientation(images, np.arange(80), None, seed=0)

    assert found.upside_down
    assert found.turn


def test_what_is_brighter_above_stays_upright() -> None:
    images = noise(80) // 2
    images[:, :15] += 100

    found = orientation(images, np.arange(80), None, seed=0)

    assert not found.upside_down
    assert not found.turn
    assert "upright" in found.reason


def test_the_grey_of_a_letterbox_tells_nothing() -> None:
    images = noise(80)
    images[:, 30:] = GREY
    images[:, :, 44:] = GREY

    assert orientation(images, np.arange(80), None, seed=0).upside_down


@pytest.mark.parametrize("count", [0, 5])
def test_few_pictures_prove_nothing(count: int) -> None:
    found = orientation(noise(10), np.arange(count), None, seed=0)

    assert not found.upside_down
    assert "too few" in found.reason


def test_copies_of_one_picture_are_one_picture() -> None:
    """A plane that was fitted to copies of what it is asked about would tell anything."""
    images = np.repeat(noise(30), 4, axis=0)

    found = orientation(images, np.arange(120), np.repeat(np.arange(30), 4), seed=0)

    assert found.upside_down


@pytest.mark.parametrize("films", [1, 2, 23])
def test_frames_of_few_films_are_few_pictures(films: int) -> None:
    """With one film there is nothing that a plane could be fitted to, and all would look free to turn."""
    images = noise(80) // 2
    images[:, :15] += 100

    found = orientation(images, np.arange(80), np.arange(80) % films, seed=0)

    assert not found.upside_down
    assert not found.turn
    assert "too few" in found.reason
