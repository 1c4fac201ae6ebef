"""metrics.attribute_accuracy, and the pairs of what was found and what is there that it is about."""

import numpy as np
import pytest

from foveal.core.errors import UsageError
from foveal.metrics._found import Found, Truth
from foveal.metrics._pairs import pairs
from foveal.metrics.attribute_accuracy import attribute_accuracy
from foveal.metrics.match import match


def drawn(seed: int, found: int = 8, there: int = 6) -> tuple[Found, Truth]:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 40, (there, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(8, 20, (there, 2))], axis=1).astype(np.float32)
    near = boxes[rng.integers(0, there, found)] + rng.normal(0, 2, (found, 4)).astype(np.float32)
    truth = Truth(boxes, rng.integers(0, 2, there), rng.random(there) < 0.2)
    return Found(near, rng.random(found).astype(np.float32), rng.integers(0, 2, found)), truth


@pytest.mark.parametrize("seed", range(20))
def test_pairs_are_those_that_the_matching_of_coco_counts_as_right(seed: int) -> None:
    found, truth = drawn(seed)

    rows, places = pairs(found, truth, iou=0.5)

    right, _ = match([found], [truth], classes=2, ious=[0.5]).only()
    assert len(rows) == len(set(rows.tolist())) == len(set(places.tolist())) == int(right.sum())
    assert (found.labels[rows] == truth.labels[places]).all()
    assert not truth.ignored[places].any()


def test_nothing_found_or_nothing_there_makes_no_pairs() -> None:
    found, truth = drawn(0)
    none = Found(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    empty = Truth(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, bool))

    for pair in ((none, truth), (found, empty), (none, empty)):
        assert [len(part) for part in pairs(*pair, iou=0.5)] == [0, 0]


def test_shares_are_counted_over_all_objects() -> None:
    shares = [np.array([[0.9, 0.1], [0.4, 0.6]]), np.zeros((0, 2)), np.array([[0.3, 0.7]])]
    values = [np.array([0, 0]), np.zeros(0, np.int64), np.array([1])]

    found = attribute_accuracy(shares, values, 0.65)

    assert found.objects == 3
    assert found.accuracy.value == pytest.approx(2 / 3)
    assert found.told.value == pytest.approx(2 / 3)
    assert found.told_accuracy.value == 1
    assert found.accuracy.n == 3


def test_what_is_never_told_has_no_accuracy() -> None:
    found = attribute_accuracy([np.array([[0.6, 0.4]])] * 2, [np.array([0])] * 2, 0.9)

    assert found.told.value == 0
    assert found.told_accuracy is None
    nothing = attribute_accuracy([np.zeros((0, 2))], [np.zeros(0, np.int64)], 0.5)
    assert nothing.objects == 0
    assert nothing.accuracy is None
    with pytest.raises(UsageError):
        attribute_accuracy([np.zeros((1, 2))], [np.zeros(2, np.int64)], 0.5)


def test_at_a_threshold_of_one_nothing_is_told_however_sure_it_is() -> None:
    shares, values = [np.eye(2, dtype=np.float32)], [np.array([0, 1])]

    assert attribute_accuracy(shares, values, 1.0).told.value == 0
    assert attribute_accuracy(shares, values, 0.999).told.value == 1
