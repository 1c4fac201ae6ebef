"""calibrate.defect_places: from which strength on a place is shown."""

import numpy as np

from foveal.calibrate.defect_places import UNKNOWN, above_good, places_shown
from foveal.data.scene import VOID


def test_the_threshold_is_the_one_that_finds_areas_best() -> None:
    truth = np.zeros((4, 16, 16), np.uint8)
    truth[:2, 4:8, 4:8] = 1
    maps = np.full((4, 1, 4, 4), 0.1, np.float32)
    maps[:2, :, 1, 1] = 0.4  # the defects
    maps[2, :, 3, 3] = 0.25  # a good place that looks a little like one

    found = places_shown(maps, list(truth), np.array([False, False, True, True]))

    assert 0.25 < found.thresholds[0] <= 0.4
    assert 0 < found.usual[0] <= 0.5 * found.thresholds[0] + 1e-6
    assert found.n == 4


def test_without_a_mask_the_more_probable_is_shown() -> None:
    truth = [np.full((8, 8), VOID, np.uint8)]

    found = places_shown(np.full((1, 2, 2, 2), 0.3, np.float32), truth, np.array([False]))

    assert found.thresholds == (UNKNOWN,) * 2


def test_of_good_pictures_alone_at_most_one_in_twenty_shows_anything() -> None:
    rng = np.random.default_rng(0)
    maps = rng.uniform(0.2, 0.9, (99, 1, 4, 4)).astype(np.float32)

    found = above_good(maps)

    shown = (maps.max(axis=(1, 2, 3)) >= found.thresholds[0]).sum()
    assert shown == 5
    few = above_good(maps[:10])
    assert not (maps[:10] >= few.thresholds[0]).any()
