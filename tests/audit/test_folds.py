"""audit.folds: units stay whole, and what no network could have learned from others is named."""

import numpy as np
import pytest

from foveal.audit.folds import FOLDS, Folds, folds


def dealt(labels: np.ndarray, units: np.ndarray, *, classes: int = 3, seed: int = 0) -> Folds:
    return folds(labels, units, classes=classes, seed=seed)


def test_units_stay_whole_and_classes_are_spread() -> None:
    units = np.random.default_rng(0).integers(0, 90, 900)
    labels = units % 3

    found = dealt(labels, units)

    assert all(len(np.unique(found.of_each[units == unit])) == 1 for unit in range(90))
    for label in range(3):
        assert np.bincount(found.of_each[labels == label], minlength=FOLDS).min() > 50
    assert found.enough
    assert found.doubted.tolist() == [True] * 3
    assert not (found.few | found.unlearned).any()


@pytest.mark.parametrize("units", [1, 2])
def test_fewer_units_than_parts_are_not_enough(units: int) -> None:
    labels = np.arange(300) % 3

    assert not dealt(labels, labels * 0 + np.arange(300) % units).enough


def test_a_network_that_learns_from_one_class_or_few_pictures_is_not_enough() -> None:
    labels = np.repeat([0, 1], 150)
    of_one_class = np.concatenate([np.arange(150), np.full(150, 999)])
    one_large_unit = np.concatenate([np.full(260, 999), np.arange(40)])

    assert not dealt(labels, of_one_class).enough
    assert not dealt(np.arange(300) % 2, one_large_unit).enough
    assert dealt(np.arange(300) % 2, np.arange(300)).enough


def test_classes_that_hang_together_or_are_small_are_not_doubted() -> None:
    labels = np.repeat([0, 1, 2, 3, 4], [100, 60, 60, 9, 10])
    units = np.arange(239)
    units[labels == 1] = 500
    units[labels == 2] = 600 + np.arange(60) % 2

    found = dealt(labels, units, classes=6)

    assert found.few.tolist() == [False, False, False, True, False, False]
    assert found.unlearned.tolist() == [False, True, True, False, False, False]
    assert found.doubted.tolist() == [True, False, False, False, True, False]


def test_a_class_in_three_units_of_one_part_is_not_doubted() -> None:
    # Three units begin with class 0 and hold class 1, too; single pictures of class 0 fill the other parts.
    labels = np.array([0, *[1] * 5, 0, *[1] * 5, 0, *[1] * 5, *[0] * 60, *[2] * 60])
    units = np.concatenate([np.repeat([0, 1, 2], 6), np.arange(3, 123)])

    for seed in range(20):
        found = dealt(labels, units, seed=seed)
        in_parts = len(np.unique(found.of_each[labels == 1]))
        assert found.unlearned[1] == (in_parts == 1)
    all_in_one = dealt(np.array([0, *[1] * 10, *[0] * 100, *[2] * 60]), np.array([*[0] * 11, *range(1, 161)]))
    assert all_in_one.unlearned.tolist() == [False, True, False]
