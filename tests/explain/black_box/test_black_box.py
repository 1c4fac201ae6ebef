"""explain.black_box: maps peak where a recognizer is known to look, agree, and are repeatable."""

import inspect

import numpy as np
import pytest

from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.explain import black_box
from foveal.explain.black_box.occlusion import COARSE_ANSWERS, occlusion, occlusion_maps
from foveal.explain.black_box.rise import rise
from foveal.explain.sanity import spearman

METHODS = [catalog.find(black_box, name) for name in catalog.names(black_box)]
BRIGHT, DARK = 0, 1


class Counting:
    """Passes questions on and counts the pictures."""

    def __init__(self, runs):
        self.runs, self.asked = runs, 0

    def run(self, images):
        self.asked += len(images)
        return self.runs.run(images)


@pytest.mark.parametrize("method", METHODS)
def test_the_map_lies_where_the_recognizer_looks_and_nowhere_else(method, corner, bright_corner):
    found = method(corner, bright_corner, BRIGHT, seed=0)

    elsewhere = np.abs(found)
    elsewhere[:8, :8] = 0
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert row < 8
    assert column < 8
    assert found[:8, :8].mean() > 2 * elsewhere.sum() / (256 - 64)  # random masks leave some noise


@pytest.mark.parametrize("method", METHODS)
def test_what_speaks_for_one_of_two_classes_speaks_against_the_other(method, corner, bright_corner):
    bright, dark = (method(corner, bright_corner, index, seed=0) for index in (BRIGHT, DARK))

    # Occlusion looks again in other places for the other class; the sign is what both share.
    assert np.sign(bright[:8, :8].mean()) == 1
    assert np.sign(dark[:8, :8].mean()) == -1


@pytest.mark.parametrize("method", METHODS)
def test_a_recognizer_that_does_not_look_gives_a_level_map(method, constant, bright_corner):
    np.testing.assert_allclose(method(constant, bright_corner, BRIGHT, seed=0), 0, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("channels", [1, 3])
def test_maps_are_repeatable_small_and_leave_the_picture_alone(method, channels, noise):
    image = noise(size=20, channels=channels)
    before = image.copy()

    class Looks:
        def run(self, images):
            share = images[:, :10].mean(axis=(1, 2, 3)) / 255
            return type("Answer", (), {"probabilities": np.stack([share, 1 - share], 1).astype(np.float32)})

    first, second = (method(Looks(), image, 0, seed=3) for _ in range(2))

    assert np.array_equal(first, second)
    assert (first.dtype, first.shape) == (np.float32, (16, 16))
    assert np.isfinite(first).all()
    assert np.array_equal(image, before)


@pytest.mark.parametrize("method", METHODS)
def test_each_has_the_face_that_its_folder_promises(method):
    assert list(inspect.signature(method).parameters)[:4] == ["runs", "image", "index", "seed"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "image",
    [np.zeros((8, 9, 3), np.uint8), np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32)],
)
def test_anything_but_a_picture_at_model_size_is_refused(method, image, constant):
    with pytest.raises(UsageError, match=r"a map needs uint8 \(size, size, channels\); got"):
        method(constant, image, 0, seed=0)


def test_rise_agrees_with_occlusion(corner, bright_corner):
    assert spearman(rise(corner, bright_corner, BRIGHT), occlusion(corner, bright_corner, BRIGHT)) > 0.6


def test_other_masks_give_another_map_that_says_the_same(corner, bright_corner):
    one, other = (rise(corner, bright_corner, BRIGHT, seed=seed) for seed in (0, 1))

    assert not np.array_equal(one, other)
    assert spearman(one, other) > 0.6


def test_coarse_occlusion_is_the_mean_fall_over_the_patches_that_hide_a_cell(corner, bright_corner):
    # The top left cell is hidden by one patch: rows and columns 0 to 7 of 32.
    from foveal.explain.backdrop import backdrop

    hidden = bright_corner.copy()
    hidden[:8, :8] = backdrop(bright_corner)[:8, :8]
    p, q = (corner.run(image[None]).probabilities[0] for image in (bright_corner, hidden))
    fall = np.log(p[0] / p[1]) - np.log(q[0] / q[1])

    found = occlusion_maps(corner, bright_corner, [BRIGHT], fine=False)[0]

    assert found[0, 0] == pytest.approx(fall, rel=1e-4)
    np.testing.assert_array_equal(found[10:, 10:], 0)


def test_a_coarse_map_takes_as_many_answers_as_it_says_and_a_fine_one_a_few_more(corner, bright_corner):
    coarse, fine = Counting(corner), Counting(corner)

    occlusion_maps(coarse, bright_corner, [BRIGHT, DARK], fine=False)
    occlusion(fine, bright_corner, BRIGHT)

    assert coarse.asked == COARSE_ANSWERS + 1
    assert COARSE_ANSWERS + 1 < fine.asked <= 90


def test_several_classes_share_their_answers(corner, bright_corner):
    both = occlusion_maps(corner, bright_corner, [BRIGHT, DARK], fine=False)

    np.testing.assert_allclose(both[0], -both[1], atol=1e-4)
    np.testing.assert_array_equal(both[0], occlusion_maps(corner, bright_corner, [BRIGHT], fine=False)[0])


@pytest.mark.parametrize("size", [8, 13, 16, 33])
def test_pictures_of_any_size_have_a_map(size, noise, constant):
    cells = min(size, 16)

    assert occlusion(constant, noise(size=size), 0).shape == (cells, cells)
    assert rise(constant, noise(size=size), 0).shape == (cells, cells)
