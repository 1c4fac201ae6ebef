"""A template that was moved in a known way is found where it is."""

import numpy as np
import pytest
from PIL import Image

from boards import board, seen, with_defects
from foveal.core.errors import ImageError
from foveal.data.registration import correlation, laid_on, motion_between

SIDE = 320


def moved(
    picture: np.ndarray, *, shift: tuple[float, float], degrees: float, growth: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return a template that has to be moved by the inverse of what is given, and where places lie on it."""
    turn, scale = np.deg2rad(degrees), 1 + growth
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = np.array(picture.shape[::-1]) / 2
    matrix = np.column_stack([linear, middle + shift - linear @ middle])
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    image = Image.fromarray(picture).transform(
        picture.shape[::-1],
        Image.Transform.AFFINE,
        tuple(back.ravel()),
        Image.Resampling.BICUBIC,
        fillcolor=40,
    )
    return np.asarray(image), matrix


def off(found: np.ndarray, meant: np.ndarray) -> float:
    """Return by how many pixels two matrices differ at the worst corner."""
    corners = np.array([[0, 0, 1], [SIDE, 0, 1], [0, SIDE, 1], [SIDE, SIDE, 1]], float)
    return float(np.hypot(*(corners @ (found - meant).T).T).max())


@pytest.mark.parametrize("seed", range(6))
def test_a_moved_template_is_found_to_a_fraction_of_a_pixel(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clean = board(rng, side=SIDE)
    shift = tuple(rng.uniform(-15, 15, 2))
    template, meant = moved(
        clean, shift=shift, degrees=float(rng.uniform(-2, 2)), growth=float(rng.uniform(-0.02, 0.02))
    )
    defective, _ = with_defects(clean, rng, count=6)
    inspected = np.clip(seen(defective, rng) * 0.8 + 20, 0, 255).astype(np.uint8)  # and in other light

    found = motion_between(inspected, seen(template, rng))

    assert off(found.matrix, meant) < 0.75
    assert found.correlation > 0.9


def test_what_lies_right_stays_as_it_is() -> None:
    rng = np.random.default_rng(1)
    clean = board(rng, side=SIDE)
    defective, _ = with_defects(clean, rng)
    template = seen(clean, rng)

    found = motion_between(seen(defective, rng), template)
    laid = laid_on(Image.fromarray(template), found, defective[:, :, None])

    assert np.array_equal(found.matrix, np.eye(2, 3))
    assert np.array_equal(laid[:, :, 0], template)


def test_a_template_that_was_laid_on_differs_by_the_defects_alone() -> None:
    rng = np.random.default_rng(2)
    clean = board(rng, side=SIDE)
    template, _ = moved(clean, shift=(5.4, -3.7), degrees=0.8, growth=0.01)

    before = np.abs(clean.astype(int) - template).mean()
    laid = laid_on(Image.fromarray(template), motion_between(clean, template), clean[:, :, None])
    after = np.abs(clean.astype(int) - laid[:, :, 0]).mean()

    assert after < before / 5


@pytest.mark.parametrize("degrees", [0.0, 1.5])
def test_where_the_template_ends_nothing_differs(degrees: float) -> None:
    rng = np.random.default_rng(3)
    clean = board(rng, side=SIDE)
    template, _ = moved(clean, shift=(30.0, 0.0), degrees=degrees, growth=0.0)

    laid = laid_on(Image.fromarray(template), motion_between(clean, template), clean[:, :, None])[:, :, 0]

    assert np.array_equal(laid[:, -20:], clean[:, -20:])


def test_the_template_of_another_board_is_refused() -> None:
    first, second = (board(np.random.default_rng(seed), side=SIDE) for seed in (4, 5))

    with pytest.raises(ImageError) as refused:
        motion_between(first, second)

    assert refused.value.code == "not_registered"


@pytest.mark.parametrize(("shift", "degrees"), [((70.0, 0.0), 0.0), ((0.0, 0.0), 8.0)])
def test_a_part_that_lies_far_off_is_refused(shift: tuple[float, float], degrees: float) -> None:
    clean = board(np.random.default_rng(6), side=SIDE)
    template, _ = moved(clean, shift=shift, degrees=degrees, growth=0.0)

    with pytest.raises(ImageError) as refused:
        motion_between(clean, template)

    assert refused.value.code == "not_registered"


def test_two_flat_pictures_lie_on_each_other() -> None:
    flat = np.full((64, 64), 128, np.uint8)

    assert motion_between(flat, flat).correlation == 1.0


def test_correlation_ignores_brightness_and_contrast() -> None:
    rng = np.random.default_rng(7)
    one, other = rng.normal(size=(2, 40, 40))

    assert correlation(one, 3 * one + 7) == pytest.approx(1, abs=1e-5)
    assert correlation(one, -one) == pytest.approx(-1, abs=1e-5)
    assert abs(correlation(one, other)) < 0.1
    assert correlation(one, np.zeros((40, 40))) == 0
