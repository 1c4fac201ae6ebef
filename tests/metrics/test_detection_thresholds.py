"""What is shown above thresholds: F, the thresholds themselves, and counts; by counting one by one."""

from dataclasses import replace

import numpy as np
import pytest

from foveal.core.errors import UsageError
from foveal.metrics.best_thresholds import best_thresholds
from foveal.metrics.counting_mae import counting_mae
from foveal.metrics.f1_at_threshold import f1_at_threshold
from foveal.metrics.match import Matches

CLASSES = 3


def draw(seed, pictures=20, ignored=0.1, classes=CLASSES):
    """Draw matches directly: what was found is right more often where its score is high."""
    rng = np.random.default_rng(seed)
    images = np.repeat(np.arange(pictures), rng.integers(0, 8, pictures))
    scores = rng.integers(1, 11, len(images)) / 10
    order = np.argsort(-scores, kind="stable")
    labels = rng.integers(0, classes, len(images))
    right = rng.random(len(images)) < scores
    aside = ~right & (rng.random(len(images)) < ignored)
    truths = rng.integers(0, 3, (pictures, classes))
    np.add.at(truths, (images[right], labels[right]), 1)
    right, aside = right[None, order], aside[None, order]
    return Matches(np.array([0.5]), scores[order], labels[order], images[order], right, aside, truths)


def counted(matches, threshold, label, pictures=None):
    """Return right, found and there of a class above a threshold, one by one."""
    chosen = range(len(matches.truths)) if pictures is None else pictures
    right = found = 0
    for score, one, image, hit, aside in zip(
        matches.scores, matches.labels, matches.images, matches.right[0], matches.ignored[0], strict=True
    ):
        if one == label and image in chosen and score >= threshold and not aside:
            found += 1
            right += int(hit)
    return right, found, int(sum(matches.truths[image, label] for image in chosen))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_no_other_threshold_has_a_better_f(seed, beta):
    matches = draw(seed)

    found = best_thresholds(matches, beta=beta)

    def f(threshold, label):
        right, shown, there = counted(matches, threshold, label)
        return (1 + beta**2) * right / (beta**2 * there + shown) if shown else 0.0

    for label in range(CLASSES):
        best = f(found[label], label)
        assert best > 0
        assert best == max(f(other / 20, label) for other in range(21))
        shown = counted(matches, found[label], label)[1]
        fewer = [other / 20 for other in range(21) if counted(matches, other / 20, label)[1] < shown]
        assert all(f(other, label) < best for other in fewer), "of equal ones the highest"
        mine = matches.scores[(matches.labels == label) & ~matches.ignored[0]]
        assert np.abs(mine - found[label]).min() > 0.04, "it lies between scores"


def test_a_class_of_which_nothing_is_right_has_no_threshold_and_shows_nothing():
    matches = draw(0, classes=4)
    wrong = replace(matches, right=matches.right & (matches.labels != 3))

    thresholds = best_thresholds(wrong)

    assert np.isnan(thresholds).tolist() == [False, False, False, True]
    last = f1_at_threshold(wrong, thresholds, draws=20).per_class[3]
    assert last.precision is None
    assert (last.recall.value, last.f1.value) == (0, 0)


def test_the_threshold_that_shows_everything_is_half_of_the_lowest_score():
    everything = Matches(
        np.array([0.5]),
        np.array([0.9, 0.4]),
        np.zeros(2, int),
        np.zeros(2, int),
        np.ones((1, 2), bool),
        np.zeros((1, 2), bool),
        np.array([[2]]),
    )

    assert best_thresholds(everything).tolist() == [0.2]


@pytest.mark.parametrize("seed", range(5))
def test_precision_recall_and_f_are_counted_one_by_one(seed):
    matches = draw(seed)
    thresholds = np.array([0.25, 0.55, 0.95])

    found = f1_at_threshold(matches, thresholds, draws=50)

    rows = [counted(matches, thresholds[label], label) for label in range(CLASSES)]
    for one, (right, shown, there) in zip(
        (*found.per_class, found.pooled), [*rows, np.sum(rows, axis=0)], strict=True
    ):
        assert one.precision.value == pytest.approx(right / shown)
        assert one.recall.value == pytest.approx(right / there)
        assert one.f1.value == pytest.approx(2 * right / (shown + there))
        assert one.f1.low <= one.f1.value <= one.f1.high
        assert (one.f1.n, one.f1.method) == (20, "bootstrap-bca")
    assert found.mean_f1.value == pytest.approx(np.mean([one.f1.value for one in found.per_class]))


def test_a_class_without_objects_has_no_recall_and_is_in_no_mean():
    matches = draw(0)
    empty = matches.truths.copy()
    empty[:, 1] = 0
    none = matches.right & (matches.labels != 1)
    changed = replace(matches, right=none, truths=empty)

    found = f1_at_threshold(changed, np.zeros(3), draws=50)

    assert found.per_class[1].recall is None
    assert found.per_class[1].f1 is None
    assert found.per_class[1].precision.value == 0
    both = [found.per_class[0].f1.value, found.per_class[2].f1.value]
    assert found.mean_f1.value == pytest.approx(np.mean(both))


@pytest.mark.parametrize("seed", range(5))
def test_counts_are_compared_picture_by_picture(seed):
    matches = draw(seed)
    thresholds = np.array([0.25, 0.55, np.nan])

    found = counting_mae(matches, thresholds, draws=50)

    table = np.array(
        [
            [np.subtract(*counted(matches, thresholds[k], k, [i])[1:]) for k in range(CLASSES)]
            for i in range(20)
        ]
    )
    for one, column in zip((*found.per_class, found.total), (*table.T, table.sum(axis=1)), strict=True):
        assert one.mae.value == pytest.approx(np.abs(column).mean())
        assert one.bias.value == pytest.approx(column.mean())
        assert one.mae.low <= one.mae.value <= one.mae.high
    assert found.per_class[2].bias.value == -matches.truths[:, 2].mean(), "no threshold, no count"


def test_whole_units_are_drawn():
    matches = draw(1, pictures=60)
    alone = counting_mae(matches, np.full(3, 0.5)).total.bias

    grouped = counting_mae(matches, np.full(3, 0.5), units=np.arange(60) // 20).total.bias

    assert grouped.value == pytest.approx(alone.value)
    assert (grouped.n, grouped.method) == (60, "bootstrap-bca-clustered")
    assert (grouped.low, grouped.high) != (alone.low, alone.high)


def test_the_interval_of_f_covers_the_truth_about_as_often_as_promised():
    population = draw(0, pictures=4000)
    truth = f1_at_threshold(population, np.full(3, 0.5), draws=1).pooled.f1.value

    drawn = [f1_at_threshold(draw(seed, pictures=60), np.full(3, 0.5), draws=300) for seed in range(1, 151)]

    covered = np.mean([one.pooled.f1.low <= truth <= one.pooled.f1.high for one in drawn])
    assert 0.88 <= covered <= 0.99


def test_arguments_that_make_no_sense_are_refused():
    matches = draw(0)
    twice = np.tile(matches.right, (2, 1)), np.tile(matches.ignored, (2, 1))
    several = replace(matches, ious=np.array([0.5, 0.7]), right=twice[0], ignored=twice[1])

    with pytest.raises(UsageError, match="matches for one IoU; got 2"):
        best_thresholds(several)
    with pytest.raises(UsageError, match="one threshold for each of 3 classes"):
        f1_at_threshold(matches, np.zeros(2))
    with pytest.raises(UsageError, match="beta must be above 0"):
        best_thresholds(matches, beta=0)
    assert best_thresholds(several.at(0.7)).tolist() == best_thresholds(matches).tolist()
