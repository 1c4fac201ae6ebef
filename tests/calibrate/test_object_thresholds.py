"""calibrate.objects: one threshold for all classes, and one of its own where that is better beyond chance."""

import numpy as np

from foveal.calibrate.objects import UNKNOWN, thresholds_of
from foveal.metrics._found import Found, Truth

BOX = np.array([[0, 0, 10, 10]], np.float32)


def seen(cases: list[tuple[int, float, bool]]) -> tuple[list[Found], list[Truth]]:
    """Return a picture for each finding: its class, its score, and whether it is there."""
    found, truths = [], []
    for label, score, there in cases:
        labels = np.array([label], np.int64)
        found.append(Found(BOX, np.array([score], np.float32), labels))
        boxes = BOX if there else np.empty((0, 4), np.float32)
        truths.append(Truth(boxes, labels[: len(boxes)], np.zeros(len(boxes), bool)))
    return found, truths


def usual(label: int, count: int = 40) -> list[tuple[int, float, bool]]:
    """Return findings whose scores are right above 0.5 and wrong below."""
    return [(label, 0.9 - 0.4 * i / count, True) for i in range(count)] + [
        (label, 0.5 - 0.4 * (i + 1) / count, False) for i in range(count)
    ]


def test_a_few_odd_findings_of_a_class_do_not_move_its_threshold() -> None:
    odd = [(1, 0.8, False), (1, 0.95, True), (1, 0.3, True)]

    first, second = thresholds_of(*seen([*usual(0), *odd]), classes=2)

    assert first == second
    assert 0.49 < first < 0.52


def test_a_class_whose_scores_mean_something_else_has_its_own() -> None:
    others = [(1, 0.4 - 0.2 * i / 30, True) for i in range(30)] + [(1, 0.1, False)] * 10

    first, second = thresholds_of(*seen([*usual(0, 200), *others]), classes=2)

    assert 0.49 < first < 0.52
    assert 0.1 < second < 0.21


def test_a_class_of_which_nothing_is_right_is_unknown() -> None:
    wrong = [(1, 0.7, False)] * 3

    assert thresholds_of(*seen([*usual(0), *wrong]), classes=2)[1] == UNKNOWN
    assert thresholds_of(*seen(wrong), classes=2) == (UNKNOWN, UNKNOWN)
