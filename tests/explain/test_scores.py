"""explain.scores and grid: log-odds by their definition at any confidence, and cells that fit any picture."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.explain import grid
from foveal.explain.backdrop import backdrop
from foveal.explain.scores import BATCH, log_odds, probabilities


def test_log_odds_are_those_of_the_textbook():
    rows = np.array([[0.5, 0.25, 0.25], [0.9, 0.05, 0.05]], np.float32)

    np.testing.assert_allclose(log_odds(rows, 0), [0, np.log(9)], atol=1e-6)
    np.testing.assert_allclose(
        log_odds(rows, [0, 1]), [[0, np.log(1 / 3)], [np.log(9), np.log(1 / 19)]], 1e-5
    )


def test_log_odds_keep_their_digits_where_the_answer_is_nearly_certain():
    rows = np.array([[1.0, 1e-20], [1.0, 1e-25]], np.float32)

    np.testing.assert_allclose(log_odds(rows, 0), [-np.log(1e-20), -np.log(1e-25)], rtol=1e-5)
    assert np.isfinite(log_odds(np.array([[1.0, 0.0]], np.float32), [0, 1])).all()


@pytest.mark.parametrize("count", [1, BATCH, BATCH + 1, 3 * BATCH])
def test_every_picture_is_answered_once_and_in_order(count):
    sizes = []

    def run(images):
        sizes.append(len(images))
        share = images[:, 0, 0, 0] / 255
        return SimpleNamespace(probabilities=np.stack([share, 1 - share], 1).astype(np.float32))

    images = [np.full((4, 4, 1), k, np.uint8) for k in range(count)]

    answers = probabilities(SimpleNamespace(run=run), iter(images))

    np.testing.assert_allclose(answers[:, 0] * 255, np.arange(count), atol=1e-4)
    assert max(sizes) <= BATCH


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 70), st.integers(1, 70))
def test_an_enlarged_map_stays_within_its_values_and_keeps_a_level_one(h, w, height, width):
    cells = np.random.default_rng(h * w).normal(size=(h, w))

    found = grid.enlarged(cells, height, width)

    assert found.shape == (height, width)
    assert found.min() >= cells.min() - 1e-6
    assert found.max() <= cells.max() + 1e-6
    np.testing.assert_allclose(grid.enlarged(np.ones((h, w)), height, width), 1, rtol=1e-6)


def test_an_enlarged_map_is_the_same_where_nothing_changes_and_turns_with_its_picture():
    cells = np.random.default_rng(0).normal(size=(5, 5))

    np.testing.assert_allclose(grid.enlarged(cells, 5, 5), cells, rtol=1e-6)
    np.testing.assert_allclose(grid.enlarged(cells.T, 9, 11), grid.enlarged(cells, 11, 9).T, rtol=1e-5)


@given(st.integers(1, 300))
def test_cells_cover_every_pixel_once(size):
    cuts = grid.edges(size)

    assert (cuts[0], cuts[-1]) == (0, size)
    assert (np.diff(cuts) >= 1).all()
    assert len(cuts) - 1 == min(size, grid.CELLS)


def test_a_reduced_map_holds_the_means_of_its_cells():
    pixels = np.arange(32 * 32, dtype=float).reshape(32, 32)

    np.testing.assert_allclose(
        grid.reduced(pixels), pixels.reshape(16, 2, 16, 2).mean(axis=(1, 3)), rtol=1e-6
    )


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_behind_a_picture_is_its_colour_without_its_details(channels):
    rng = np.random.default_rng(0)
    image = (rng.integers(0, 2, (64, 64, channels)) * 120 + 60).astype(np.uint8)

    behind = backdrop(image)

    assert (behind.shape, behind.dtype) == (image.shape, np.uint8)
    assert behind.std() < 0.1 * image.std()
    assert abs(float(behind.mean()) - image.mean()) < 4
