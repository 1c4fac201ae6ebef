"""bundle.tiled_defects: a large picture is as defective as its worst tile, and told in its own pixels."""

import numpy as np
import pytest

from foveal.bundle.predictor import Predictor
from foveal.bundle.tiled import Tiled
from scene_graphs import DARK, GROUND, LIGHT, picture


@pytest.fixture(scope="module")
def predictor(suspecter) -> Predictor:
    return Predictor.open(suspecter)


def test_in_tiles_a_large_picture_is_as_its_worst_part(predictor: Predictor) -> None:
    parts = [[picture(), picture((1, 2, LIGHT))], [picture((3, 0, DARK)), picture()]]
    side = parts[0][0].shape[0]
    large = np.concatenate([np.concatenate(row, axis=1) for row in parts])

    seen = Tiled(predictor, side).see(large, "large")

    alone = [predictor.see(part, (side, side), "part") for row in parts for part in row]
    assert seen.score == max(one.score for one in alone) == LIGHT - GROUND
    assert (seen.height, seen.width) == seen.heat.shape == seen.regions.shape == (2 * side, 2 * side)
    cell = side // 4
    right, below = side + 2 * cell, side + 3 * cell
    for kind, (top, left) in {2: (cell, right), 1: (below, 0)}.items():
        inner = slice(top + 2, top + cell - 2), slice(left + 2, left + cell - 2)
        assert (seen.regions[inner] == kind).all()
        assert (seen.regions == kind).sum() < 1.5 * cell**2
    assert set(np.unique(seen.regions).tolist()) == {0, 1, 2}
    assert seen.areas["light"] == pytest.approx((seen.regions == 2).mean())
    np.testing.assert_array_equal(seen.heat >= 1, seen.regions > 0)


def test_what_fits_into_a_tile_is_seen_as_ever(predictor: Predictor) -> None:
    one = picture((1, 2, LIGHT))

    tiled, plain = Tiled(predictor, 4 * len(one)).see(one, "x"), predictor.see(one, one.shape[:2], "x")

    assert (tiled.score, tiled.areas) == (plain.score, plain.areas)
    np.testing.assert_allclose(tiled.heat, plain.heat)
    np.testing.assert_array_equal(tiled.regions, plain.regions)
