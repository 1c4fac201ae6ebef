"""metrics.class_accuracy: a wrong class is no miss, and a miss no wrong class."""

import numpy as np
import pytest

from foveal.core.errors import UsageError
from foveal.metrics._found import Found, Truth
from foveal.metrics.class_accuracy import class_accuracy

BOXES = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]], np.float32)


def found(labels, boxes=BOXES, scores=(0.9, 0.8, 0.7)) -> Found:
    return Found(
        boxes[: len(labels)], np.array(scores[: len(labels)], np.float32), np.array(labels, np.int64)
    )


def truth(labels, boxes=BOXES, ignored=()) -> Truth:
    aside = np.array([place in ignored for place in range(len(labels))], bool)
    return Truth(boxes[: len(labels)], np.array(labels, np.int64), aside)


def test_a_wrong_class_counts_for_the_class_that_it_is() -> None:
    measured = class_accuracy([found([0, 1, 1])], [truth([0, 0, 1])], classes=3, iou=0.5)

    assert measured.pooled.value == pytest.approx(2 / 3)
    assert [None if one is None else one.value for one in measured.per_class] == [0.5, 1.0, None]


def test_misses_and_false_finds_play_no_part() -> None:
    far = np.array([[0, 0, 10, 10], [70, 70, 80, 80]], np.float32)

    measured = class_accuracy([found([0, 1], far)], [truth([0, 0])], classes=2, iou=0.5)

    assert measured.pooled.value == 1.0


def test_the_surest_takes_what_is_there() -> None:
    same = np.repeat(BOXES[:1], 2, axis=0)

    measured = class_accuracy([found([1, 0], same, (0.6, 0.9))], [truth([0])], classes=2, iou=0.5)

    assert measured.pooled.value == 1.0


def test_ignored_objects_are_nobody() -> None:
    measured = class_accuracy([found([1])], [truth([0], ignored=(0,))], classes=2, iou=0.5)

    assert measured.pooled is None


def test_no_picture_is_refused() -> None:
    with pytest.raises(UsageError):
        class_accuracy([], [], classes=2, iou=0.5)
