"""Metrics of class maps: by scikit-learn, and by counting sets of pixels."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, jaccard_score

from foveal.core.errors import UsageError
from foveal.metrics.mean_iou import mean_iou
from foveal.metrics.pixel_accuracy import pixel_accuracy
from foveal.metrics.pixel_confusion import pixel_confusion

CLASSES = 4
VOID = 255


def draw(seed, pictures=12, classes=CLASSES, right=0.7):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, (pictures, 9, 7)).astype(np.uint8)
    found = np.where(rng.random(truth.shape) < right, truth, rng.integers(0, classes, truth.shape))
    truth[rng.random(truth.shape) < 0.1] = VOID
    return found.astype(np.uint8), truth


def matrices(found, truth, classes=CLASSES):
    return np.stack([pixel_confusion(f, t, classes=classes) for f, t in zip(found, truth, strict=True)])


@pytest.mark.parametrize("seed", range(5))
def test_it_equals_scikit_learn_where_something_is_said(seed):
    found, truth = draw(seed)
    said = truth != VOID

    table = matrices(found, truth)

    oracle = confusion_matrix(truth[said], found[said], labels=range(CLASSES))
    np.testing.assert_array_equal(table.sum(axis=0), oracle)
    value = mean_iou(table, draws=100)
    ious = jaccard_score(truth[said], found[said], average=None)
    np.testing.assert_allclose([one.value for one in value.per_class], ious)
    assert value.mean.value == pytest.approx(ious.mean())
    accuracy = pixel_accuracy(table, draws=100)
    assert accuracy.value == pytest.approx((found == truth)[said].mean())
    for one in (value.mean, accuracy, *value.per_class):
        assert one.low < one.value < one.high
        assert (one.n, one.method) == (12, "bootstrap-bca")


def test_it_comes_from_all_pixels_at_once_not_from_pictures_one_by_one():
    truth = np.stack([np.zeros((4, 4)), np.ones((4, 4))]).astype(np.uint8)
    found = truth.copy()
    found[0, 0] = 1

    value = mean_iou(matrices(found, truth, classes=2), draws=10)

    assert value.mean.value == pytest.approx((12 / 16 + 16 / 20) / 2)


def test_a_class_that_is_nowhere_in_truth_is_in_no_mean_but_costs_the_others():
    found, truth = draw(0, classes=3)
    found[:, 0, 0], truth[:, 0, 0] = 3, 0

    value = mean_iou(matrices(found, truth), draws=50)

    assert value.per_class[3] is None
    assert value.mean.value == pytest.approx(np.mean([one.value for one in value.per_class[:3]]))
    zero = (truth == 0).sum(), ((found == 0) & (truth != VOID)).sum(), ((found == 0) & (truth == 0)).sum()
    assert value.per_class[0].value == pytest.approx(zero[2] / (zero[0] + zero[1] - zero[2]))


def test_a_class_on_one_picture_alone_still_has_an_interval():
    found, truth = draw(0, classes=3)
    truth[0, :2], found[0, :1] = 3, 3

    one = mean_iou(matrices(found, truth)).per_class[3]

    assert one is not None
    assert 0 <= one.low <= one.value <= one.high <= 1


def test_whole_units_are_drawn_and_equal_seeds_are_equal():
    found, truth = draw(0, pictures=30)
    table = matrices(found, truth)

    grouped = mean_iou(table, units=np.arange(30) // 6).mean

    assert grouped.method == "bootstrap-bca-clustered"
    assert grouped == mean_iou(table, units=np.arange(30) // 6).mean
    assert grouped.value == mean_iou(table).mean.value


def test_maps_that_make_no_sense_are_refused():
    good = np.zeros((3, 3), np.uint8)

    with pytest.raises(UsageError, match="two maps of classes"):
        pixel_confusion(good, good[:2], classes=2)
    with pytest.raises(UsageError, match="two maps of classes"):
        pixel_confusion(good.astype(int), good.astype(int), classes=2)
    with pytest.raises(UsageError, match=r"in \[0, 2\); got 7"):
        pixel_confusion(good + np.uint8(7), good, classes=2)
    with pytest.raises(UsageError, match="1 to 255 classes"):
        pixel_confusion(good, good, classes=256)
    void = matrices(good[None], good[None] + np.uint8(255), classes=2)
    for metric in (mean_iou, pixel_accuracy):
        with pytest.raises(UsageError, match="a pixel of which something is said"):
            metric(void)
        with pytest.raises(UsageError, match="at least one image"):
            metric(np.empty((0, 2, 2), np.int64))
