"""train.sampling: units stay whole, classes are spread, also where units are of very different sizes."""

import numpy as np
import pytest

from foveal.train.sampling import deal, spread


def test_units_stay_in_one_fold_and_classes_are_spread_evenly() -> None:
    labels = np.repeat([0, 1, 2], 60)
    units = np.arange(180) // 4

    folds = deal(labels, units, folds=3, seed=0)

    assert all(len(set(folds[units == unit])) == 1 for unit in set(units))
    assert all(np.bincount(folds[labels == label]).tolist() == [20, 20, 20] for label in range(3))
    assert not np.array_equal(folds, deal(labels, units, folds=3, seed=1))


def test_one_long_track_does_not_fill_its_fold_further() -> None:
    labels = np.zeros(120, dtype=np.int64)
    units = np.r_[np.zeros(40, dtype=np.int64), np.arange(1, 81)]

    folds = deal(labels, units, folds=3, seed=0)

    assert np.bincount(folds).tolist() == [40, 40, 40]


def test_classes_of_one_picture_do_not_all_come_into_one_fold() -> None:
    folds = deal(np.arange(30), np.arange(30), folds=3, seed=0)

    assert np.bincount(folds).tolist() == [10, 10, 10]


def test_every_beginning_of_the_order_holds_the_classes_in_proportion() -> None:
    labels = np.repeat([0, 1, 2], [80, 15, 5])

    order = spread(labels, seed=0, purpose="test")

    assert sorted(order) == list(range(100))
    assert set(labels[order[:3]]) == {0, 1, 2}
    assert np.bincount(labels[order[:40]]) == pytest.approx([32, 6, 2], abs=1)
