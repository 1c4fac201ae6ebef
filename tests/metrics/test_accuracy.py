"""metrics.accuracy, balanced_accuracy, per_class, worst_class and confusion: equal to scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics as oracle

from foveal.metrics.accuracy import accuracy
from foveal.metrics.balanced_accuracy import balanced_accuracy
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.metrics.confusion import Confused, confused_pairs, confusion
from foveal.metrics.per_class import per_class
from foveal.metrics.worst_class import worst_class


@pytest.mark.parametrize("seed", range(5))
def test_equal_to_scikit_learn(draw, seed):
    probabilities, labels = draw(250, 6, seed=seed)
    answers = probabilities.argmax(axis=1)
    recall = oracle.recall_score(labels, answers, average=None)
    precision = oracle.precision_score(labels, answers, average=None)

    scores = per_class(probabilities, labels)

    assert accuracy(probabilities, labels).value == pytest.approx(oracle.accuracy_score(labels, answers))
    assert balanced_accuracy(probabilities, labels).value == pytest.approx(recall.mean())
    assert [one.recall.value for one in scores] == pytest.approx(recall)
    assert [one.precision.value for one in scores] == pytest.approx(precision)
    assert (confusion(probabilities, labels) == oracle.confusion_matrix(labels, answers)).all()


def test_ties_go_to_the_first_class_as_in_prediction():
    assert accuracy(np.array([[0.5, 0.5]]), np.array([0])).value == 1


def test_absent_classes_do_not_count_and_unused_names_have_no_precision():
    probabilities = np.eye(4)[[0, 0, 2]]
    labels = np.array([0, 1, 2])

    scores = per_class(probabilities, labels)

    assert [one.index for one in scores] == [0, 1, 2], "class 3 is absent"
    assert scores[1].precision is None, "nothing was called 1"
    assert scores[0].precision.value == 0.5
    assert balanced_accuracy(probabilities, labels).value == pytest.approx(2 / 3)


def test_confusion_keeps_rows_and_columns_of_absent_classes():
    assert confusion(np.eye(3)[[0, 2]], np.array([0, 0])).tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_balanced_accuracy_without_an_error_is_not_certain():
    labels = np.repeat(np.arange(10), 3)

    found = balanced_accuracy(np.eye(10)[labels], labels)

    assert found.value == found.high == 1
    assert 0.6 < found.low < 0.85, "30 images, 3 a class, prove no more"


def test_balanced_accuracy_covers_the_truth_as_often_as_promised():
    rng, sizes, recalls = np.random.default_rng(0), np.array([5, 20, 60]), np.array([0.9, 0.7, 0.95])
    labels = np.repeat(np.arange(3), sizes)
    covered = []
    for _ in range(400):
        right = rng.random(len(labels)) < recalls[labels]
        found = balanced_accuracy(np.eye(3)[np.where(right, labels, (labels + 1) % 3)], labels)
        covered.append(found.low <= recalls.mean() <= found.high)

    assert np.mean(covered) >= 0.95 - 0.02


def test_worst_class_has_the_interval_of_one_picked_from_several():
    labels = np.repeat(np.arange(5), 20)
    answers = labels.copy()
    answers[20:26] = 0  # six of class 1 are wrong

    found = worst_class(np.eye(5)[answers], labels)

    assert (found.index, found.n) == (1, 20)
    assert found.recall == clopper_pearson(14, 20, 1 - 0.05 / 5), "no other class could be worse"
    assert found.recall.low < clopper_pearson(14, 20).low


def test_worst_class_counts_only_present_ones():
    probabilities = np.eye(100)[[0, 1, 1]]

    found = worst_class(probabilities, np.array([0, 0, 1]))

    assert (found.index, found.recall.value, found.recall.n) == (0, 0.5, 2)
    assert found.recall.low == clopper_pearson(1, 2, 1 - 0.05 / 2).low
    assert found.recall.high == clopper_pearson(1, 2, 1 - 0.05 / 2).high


def test_a_class_of_two_images_may_be_worse_than_the_one_that_is_named():
    labels = np.repeat([0, 1], [100, 2])
    answers = labels.copy()
    answers[:10] = 1

    found = worst_class(np.eye(2)[answers], labels)

    assert (found.index, found.recall.value) == (0, 0.9)
    assert found.recall.low == clopper_pearson(2, 2, 1 - 0.05 / 2).low


def test_of_equally_bad_classes_the_less_proven_one_is_named():
    labels = np.repeat([0, 1], [10, 2])

    assert worst_class(np.eye(2)[labels], labels).index == 1


def test_all_worst_class_intervals_hold_at_once_as_often_as_promised():
    rng, labels = np.random.default_rng(0), np.repeat(np.arange(8), [25, 25, 25, 25, 60, 60, 3, 3])
    truth, covered = np.array([0.8, 0.8, 0.8, 0.85, 0.8, 0.8, 0.7, 0.8]), []
    for _ in range(400):
        answers = np.where(rng.random(len(labels)) < truth[labels], labels, (labels + 1) % 8)
        recall = worst_class(np.eye(8)[answers], labels).recall
        covered.append(recall.low <= truth.min() <= recall.high)

    assert np.mean(covered) >= 0.95 - 0.02


def test_confused_pairs_come_most_frequent_first_and_never_empty():
    matrix = np.array([[9, 2, 0], [3, 9, 0], [0, 3, 9]])

    assert confused_pairs(matrix) == (Confused(1, 0, 3), Confused(2, 1, 3), Confused(0, 1, 2))
    assert confused_pairs(matrix, limit=1) == (Confused(1, 0, 3),)
    assert confused_pairs(np.eye(3, dtype=np.int64)) == ()
    assert matrix[0, 0] == 9, "the argument is left alone"
