"""What a picture looks like: each number follows what it is named after, and nothing else."""

import numpy as np
import pytest

from foveal.calibrate.unknowns._look import look
from foveal.calibrate.unknowns._score import Answers, Known
from foveal.calibrate.unknowns.exposed import exposed
from foveal.calibrate.unknowns.looks import looks

FINE, COARSE, LIGHT = slice(0, 5), slice(5, 10), slice(10, 13)  # brightness, two colours, right, down


def pictures(count: int = 6, side: int = 32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 190, (count, side, side, 3), dtype=np.uint8)


def test_a_grey_picture_has_no_spread_of_colour_and_the_light_it_has() -> None:
    grey = np.repeat(pictures()[..., :1], 3, axis=3)

    found = look(grey)

    none = np.log(1 / 255**2)
    np.testing.assert_allclose(found[:, [1, 2, 6, 7]], none, atol=1e-3)
    assert (found[:, [0, 3, 4, 5, 8, 9]] > none + 2).all()
    np.testing.assert_allclose(found[:, 10], grey[:, :-1, :-1, 0].mean(axis=(1, 2)) / 255, atol=1e-5)
    np.testing.assert_allclose(found[:, 11:], 0, atol=1e-5)


def test_more_light_moves_only_the_light() -> None:
    images = pictures()

    np.testing.assert_allclose(look(images + 40)[:, :10], look(images)[:, :10], atol=1e-3)
    np.testing.assert_allclose(look(images + 40)[:, 10] - look(images)[:, 10], 40 / 255, atol=1e-5)


def test_a_picture_on_its_side_has_right_and_down_exchanged() -> None:
    images = pictures(side=33)
    stretched = np.repeat(images[:, :, ::3], 3, axis=2)[:, :33, :33]

    found, turned = look(stretched), look(stretched.transpose(0, 2, 1, 3))

    np.testing.assert_allclose(turned[:, [0, 1, 2, 4, 3]], found[:, FINE], atol=1e-3)
    assert (found[:, 4] > found[:, 3] + 0.5).all(), "detail runs down, not to the right"


def test_half_the_contrast_is_a_quarter_of_every_spread() -> None:
    images = (pictures() // 2) * 2

    moved = look(images // 2 + 20)[:, :10] - look(images)[:, :10]

    np.testing.assert_allclose(moved, np.log(1 / 4), atol=0.04)


@pytest.mark.parametrize("side", [64, 96, 224])
def test_a_larger_picture_of_the_same_looks_the_same(side: int) -> None:
    small = pictures(3)
    large = np.kron(small, np.ones((1, side // 32, side // 32, 1), np.uint8))

    np.testing.assert_allclose(look(large), look(small), atol=1e-3)


def test_pictures_of_other_channels_have_brightness_alone() -> None:
    assert look(pictures()[..., :1]).shape == (6, 7)
    assert look(np.concatenate([pictures()] * 2, axis=3)).shape == (6, 7)


def test_what_only_looks_strange_is_found_where_the_network_sees_nothing() -> None:
    """Features and logits of strange pictures are those of known ones; the light is not."""
    rng = np.random.default_rng(0)

    def answers(light: float, count: int = 300) -> Answers:
        seen = rng.normal(size=(count, 8)).astype(np.float32)
        look = rng.normal(size=(count, 13)).astype(np.float32)
        look[:, LIGHT] += light
        return Answers(seen, seen[:, :3], look)

    known = Known(answers(0), np.arange(300) % 3, {"other": answers(0)}, shape=(32, 32, 3))
    usual, strange = answers(0), answers(6)

    blind, seeing = exposed(known), looks(known)

    assert blind is not None
    assert seeing is not None
    threshold = np.quantile(seeing.of(usual), 0.95)
    assert (seeing.of(strange) > threshold).mean() > 0.95
    assert (blind.of(strange) > np.quantile(blind.of(usual), 0.95)).mean() < 0.15
    assert seeing.beyond > 0


def test_without_looks_there_is_no_such_score() -> None:
    seen = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    labels = np.arange(50) % 3

    assert looks(Known(Answers(seen, seen[:, :3]), labels, shape=(32, 32, 3))) is None
    few = Answers(seen[:13], seen[:13, :3], np.zeros((13, 13), np.float32))
    assert looks(Known(few, labels[:13], shape=(32, 32, 3))) is None
