"""evaluate.defects: numbers about scores and areas of defects, against counting by hand."""

import numpy as np
import pytest

from foveal.evaluate.defects import Judged, false_calls, measure_defects


def judged(label: int, score: float, confusion=((9, 0, 0), (0, 0, 0), (0, 0, 0)), shown=False) -> Judged:
    return Judged(label, score, shown, np.array(confusion, np.int64))


def test_false_calls_are_those_at_the_score_that_99_percent_of_the_defective_reach() -> None:
    defective = np.arange(250) % 2 == 1
    scores = np.where(defective, 10.0, 0.0) + np.arange(250) / 1000
    scores[1], scores[3] = -5.0, -4.0  # 2 of 125 are missed, so the third lowest decides: 1.6 % are too many
    scores[[0, 2, 4]] = -4.5, -3.9, 20.0

    found = false_calls(scores, defective, None)

    # 124 of 125 have to be called: all but the one at -5. With them all good ones but the one at -4.5 are.
    assert (found.value, found.n) == (pytest.approx(124 / 125), 125)
    assert false_calls(scores, defective | True, None) is None


def test_units_make_the_interval_of_false_calls_wider_and_not_the_value() -> None:
    defective = np.array([True] * 10 + [False] * 20)
    scores = np.array([1.0] * 10 + [0.0] * 15 + [2.0] * 5)

    alone = false_calls(scores, defective, None)
    grouped = false_calls(scores, defective, np.repeat(np.arange(6), 5))

    assert alone.value == pytest.approx(grouped.value) == pytest.approx(0.25)
    assert grouped.high - grouped.low > alone.high - alone.low


def test_areas_come_from_one_matrix_and_once_with_all_kinds_as_one() -> None:
    pictures = [
        judged(0, 0.1, ((8, 0, 1), (0, 0, 0), (0, 0, 0)), shown=True),
        judged(1, 0.9, ((4, 1, 0), (1, 2, 1), (0, 0, 0)), shown=True),
        judged(2, 0.2, ((9, 0, 0), (0, 0, 0), (0, 0, 0))),
    ]

    found = measure_defects(pictures, units=None, seed=0)
    document = found.as_json(("good", "hole", "crack"))

    assert found.image_auroc.value == 1.0
    # hole: 2 right, 4 there, 3 given; good: 21 right, 23 there, 22 given; crack is in no truth.
    assert document["per_class"][1]["iou"]["value"] == pytest.approx(2 / 5)
    assert document["miou"]["value"] == pytest.approx((21 / 24 + 2 / 5) / 2)
    assert document["per_class"][2]["iou"] is None
    # As one kind: 3 right, 4 there, 5 given.
    assert document["defect_iou"]["value"] == pytest.approx(3 / 6)
    assert document["binary_miou"]["value"] == pytest.approx((21 / 24 + 3 / 6) / 2)
    assert [row["shown"]["value"] for row in document["per_class"]] == [1.0, 1.0, 0.0]


def test_what_nothing_can_be_said_of_is_null() -> None:
    nothing = np.zeros((2, 2), np.int64)
    document = measure_defects([Judged(1, 0.5, True, nothing)], units=None, seed=0).as_json(
        ("good", "defect")
    )

    assert document["image_auroc"] is document["miou"] is document["false_call_at_99_recall"] is None
    assert document["per_class"][0]["shown"] is None
