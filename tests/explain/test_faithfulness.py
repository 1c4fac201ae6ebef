"""explain.faithfulness: hiding and revealing in a map's order tells a good map from a bad one."""

import numpy as np
import pytest

from foveal.explain.backdrop import backdrop
from foveal.explain.faithfulness import STEPS, _elsewhere, by_chance, faithfulness, without_peak

BRIGHT = 0


@pytest.fixture
def true_map():
    """Where the corner recognizer looks, a little stronger in the corner."""
    found = np.zeros((16, 16), np.float32)
    found[:8, :8] = 1 + np.linspace(0.5, 0, 64).reshape(8, 8)
    return found


def test_the_curves_begin_and_end_with_the_picture_and_what_is_behind_it(corner, bright_corner, true_map):
    found = faithfulness(corner, bright_corner, true_map, BRIGHT)
    whole, behind = (
        float(corner.run(image[None]).probabilities[0, BRIGHT])
        for image in (bright_corner, backdrop(bright_corner))
    )

    assert (found.deletion[0], found.deletion[-1]) == pytest.approx((whole, behind), abs=1e-6)
    assert (found.insertion[0], found.insertion[-1]) == pytest.approx((behind, whole), abs=1e-6)
    assert len(found.deletion) == len(found.insertion) == STEPS + 1


def test_the_true_map_is_better_than_chance_and_chance_better_than_its_opposite(
    corner, bright_corner, true_map
):
    true, false = (faithfulness(corner, bright_corner, m, BRIGHT) for m in (true_map, -true_map))
    chance = by_chance(corner, bright_corner, true_map, BRIGHT)
    deletion, insertion = (
        np.mean([getattr(one, name) for one in chance]) for name in ("deletion_auc", "insertion_auc")
    )

    assert true.deletion_auc < deletion < false.deletion_auc
    assert true.insertion_auc > insertion > false.insertion_auc


def test_an_answer_that_never_changes_has_its_probability_as_area(constant, bright_corner, true_map):
    found = faithfulness(constant, bright_corner, true_map, BRIGHT)

    assert found.deletion_auc == pytest.approx(0.7)
    assert found.insertion_auc == pytest.approx(0.7)
    assert found.without_peak == pytest.approx(0.7)


def test_a_tenth_of_the_picture_is_hidden_where_the_map_is_largest(corner, bright_corner, true_map):
    hidden = without_peak(bright_corner, true_map)

    changed = (hidden != bright_corner).any(axis=2)
    assert changed.sum() == pytest.approx(0.1 * 32 * 32, abs=3)
    assert not changed[17:, :].any()
    assert not changed[:, 17:].any()
    found = faithfulness(corner, bright_corner, true_map, BRIGHT)
    p = float(corner.run(hidden[None]).probabilities[0, BRIGHT])
    assert found.without_peak == pytest.approx(p, abs=1e-6)


def test_chance_follows_from_the_seed(corner, bright_corner, true_map):
    first, again, other = (
        by_chance(corner, bright_corner, true_map, BRIGHT, seed=seed) for seed in (0, 0, 1)
    )

    assert first == again
    assert first != other
    assert len(set(first)) == 19


def test_random_maps_are_the_map_itself_elsewhere_and_all_different():
    rng = np.random.default_rng(0)
    for shape in ((16, 16), (3, 3), (4, 7)):
        heatmap = rng.permutation(np.prod(shape)).reshape(shape).astype(np.float32)

        found = _elsewhere(heatmap, rng)

        assert len({one.tobytes() for one in found} | {heatmap.tobytes()}) == 20
        assert all(one.shape == shape for one in found)
        assert all(np.array_equal(np.sort(one, axis=None), np.sort(heatmap, axis=None)) for one in found)
        # Cells that are neighbours stay so, where what leaves at one side comes in at the other.
        assert {steps(one) for one in found} == {steps(heatmap)}


def steps(heatmap):
    return round(sum(float(np.abs(heatmap - np.roll(heatmap, 1, axis)).sum()) for axis in (0, 1)), 3)


def test_a_map_of_two_cells_has_fewer_other_places():
    assert len(_elsewhere(np.array([[1.0, 2.0]]), np.random.default_rng(0))) == 7


def test_a_level_map_favours_no_part_of_the_picture(corner, bright_corner, true_map):
    level = faithfulness(corner, bright_corner, np.zeros((4, 4), np.float32), BRIGHT)

    chance = by_chance(corner, bright_corner, true_map, BRIGHT)
    assert abs(level.gain) < 0.2 * max(one.gain for one in chance)
