"""Average precision and the matching behind it, beside the reference implementation of COCO."""

import contextlib
import io
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from foveal.core.errors import UsageError
from foveal.data.outline import Runs
from foveal.metrics._found import Found, Truth
from foveal.metrics._ranked import areas
from foveal.metrics.box_iou import box_iou
from foveal.metrics.map_interval import map_interval
from foveal.metrics.mask_iou import mask_iou
from foveal.metrics.match import COCO_IOUS, match
from foveal.metrics.mean_average_precision import mean_average_precision

SIZE = 40
RECALLS = np.linspace(0, 1, 101)


def rectangles(boxes):
    masks = np.zeros((len(boxes), SIZE, SIZE), bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes.astype(int), strict=True):
        mask[top:bottom, left:right] = True
    return masks


def some_boxes(rng, count):
    corner = rng.integers(0, SIZE - 12, (count, 2))
    return np.concatenate([corner, corner + rng.integers(3, 12, (count, 2))], axis=1).astype(np.float32)


def scene(rng, classes, objects, findings, crowds, steps):
    """Draw what is there, and findings of which most lie near it; scores have `steps` values, so they tie."""
    truth = some_boxes(rng, objects)
    labels = rng.integers(0, classes, objects)
    near = rng.integers(0, objects, findings) if objects else np.zeros(findings, int)
    boxes = some_boxes(rng, findings)
    if objects:
        close = rng.random(findings) < 0.8
        boxes[close] = np.clip(truth[near[close]] + rng.integers(-2, 3, (close.sum(), 4)), 0, SIZE)
        flat = (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
        boxes[flat] = truth[near[flat]]
    called = np.where(rng.random(findings) < 0.8, labels[near] if objects else 0, 0).astype(np.int64)
    scores = (rng.integers(1, steps + 1, findings) / steps).astype(np.float32)
    masks = (rectangles(boxes) & (rng.random((findings, SIZE, SIZE)) < 0.9), rectangles(truth))
    return (
        Found(boxes, scores, called, masks[0]),
        Truth(truth, labels, rng.random(objects) < crowds, masks[1]),
    )


def draw_scenes(seed, pictures=4, classes=3, most_objects=6, most_findings=12, crowds=0.2, steps=6):
    rng = np.random.default_rng(seed)
    pairs = [
        scene(
            rng, classes, rng.integers(0, most_objects + 1), rng.integers(0, most_findings + 1), crowds, steps
        )
        for _ in range(pictures)
    ]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def coco(found, truths, classes, most, masks, ious=COCO_IOUS):
    """Return the precision of the reference at each limit, recall and class, (T, R, K), −1 where absent."""

    def encoded(mask):
        return coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))

    def row(boxes, mask, one):
        left, top, right, bottom = map(float, boxes[one])
        box = [left, top, right - left, bottom - top]
        return {"bbox": box, "area": box[2] * box[3], "segmentation": encoded(mask[one])}

    annotations = [
        {"image_id": i + 1, "category_id": int(t.labels[m]) + 1, "iscrowd": int(t.ignored[m])}
        | row(t.boxes, t.masks, m)
        for i, t in enumerate(truths)
        for m in range(len(t))
    ]
    results = [
        {"image_id": i + 1, "category_id": int(f.labels[d]) + 1, "score": float(f.scores[d])}
        | row(f.boxes, f.masks, d)
        for i, f in enumerate(found)
        for d in range(len(f))
    ]
    for number, one in enumerate([*annotations, *results]):
        one["id"] = number + 1
    truth, answers = COCO(), COCO()
    frame = {
        "images": [{"id": i + 1, "width": SIZE, "height": SIZE} for i in range(len(found))],
        "categories": [{"id": k + 1, "name": str(k)} for k in range(classes)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        for index, rows in ((truth, annotations), (answers, results)):
            index.dataset = frame | {"annotations": rows}
            index.createIndex()
        run = COCOeval(truth, answers, "segm" if masks else "bbox")
        run.params.maxDets, run.params.iouThrs = [most], np.array(ious)
        run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
        run.evaluate()
        run.accumulate()
    return run.eval["precision"][..., 0, 0]


@pytest.mark.parametrize("masks", [False, True])
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), most=st.sampled_from([1, 3, 100]), crowds=st.sampled_from([0, 0.3, 1]))
def test_it_equals_the_reference_of_coco(masks, seed, most, crowds):
    found, truths = draw_scenes(seed, crowds=crowds)

    value = mean_average_precision(match(found, truths, classes=3, most=most, masks=masks))

    oracle = coco(found, truths, 3, most, masks)
    absent = (oracle < 0).all(axis=1)
    np.testing.assert_allclose(
        value.per_class, np.where(absent, np.nan, oracle.mean(axis=1)), rtol=0, atol=1e-6
    )
    kept = oracle[oracle > -1]
    assert value.mean == pytest.approx(kept.mean() if len(kept) else np.nan, abs=1e-6, nan_ok=True)


def test_dense_scenes_beyond_a_hundred_findings_equal_the_reference():
    found, truths = draw_scenes(0, pictures=3, classes=1, most_objects=300, most_findings=900, steps=50)

    for most in (100, 1000):
        value = mean_average_precision(match(found, truths, classes=1, most=most))
        assert value.mean == pytest.approx(coco(found, truths, 1, most, False).mean(), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_one_class_pooled_is_that_class_and_other_limits_may_be_asked_for(seed):
    found, truths = draw_scenes(seed, classes=1)

    value = mean_average_precision(match(found, truths, classes=1, ious=[0.33]))

    assert value.pooled_mean == value.mean == value.per_class[0, 0]
    assert value.mean == pytest.approx(coco(found, truths, 1, 100, False, [0.33]).mean(), abs=1e-6)


def ranking(right, truths=None):
    """Return matches of one picture with these findings, the surest first, of one class."""
    right = np.array(right, bool)
    far = np.arange(len(right))[:, None] * np.array([10, 0, 10, 0])
    boxes = (far + np.array([0, 0, 5, 5])).astype(np.float32)
    there = boxes[right]
    extra = (truths or len(there)) - len(there)
    there = np.concatenate([there, np.tile(np.float32([[0, 50, 5, 55]]), (extra, 1))])
    found = Found(boxes, np.linspace(1, 0.1, len(right)).astype(np.float32), np.zeros(len(right), np.int64))
    truth = Truth(there, np.zeros(len(there), np.int64), np.zeros(len(there), bool))
    return match([found], [truth], classes=1, ious=[0.5])


def test_the_area_over_all_recalls_by_hand():
    value = mean_average_precision(ranking([1, 0, 1, 0, 0, 1], truths=4), points=None)

    assert value.mean == pytest.approx((1 + 2 / 3 + 3 / 6) / 4)
    eleven = mean_average_precision(ranking([1, 0, 1, 0, 0, 1], truths=4), points=11).mean
    assert eleven == pytest.approx((3 * 1 + 3 * 2 / 3 + 2 * 3 / 6) / 11)


@pytest.mark.parametrize("points", [101, None])
def test_perfect_is_one_nothing_is_zero_and_no_object_is_no_number(points):
    found, truths = draw_scenes(3, crowds=0)
    perfect = [Found(t.boxes, np.ones(len(t), np.float32), t.labels) for t in truths]
    nothing = [Found(f.boxes[:0], f.scores[:0], f.labels[:0]) for f in found]
    empty = [Truth(t.boxes[:0], t.labels[:0], t.ignored[:0]) for t in truths]

    def value(found, truths):
        return mean_average_precision(match(found, truths, classes=4), points=points)

    assert value(perfect, truths).mean == 1
    assert value(nothing, truths).mean == 0
    assert np.isnan(value(perfect, truths).per_class[:, 3]).all(), "class 3 does not occur"
    assert np.isnan(value(found, empty).mean)
    assert np.isnan(value([], []).mean)


def test_of_two_that_are_overlapped_alike_the_last_is_taken_and_identical_boxes_reach_any_limit():
    left, middle, right = [0, 0, 8, 8], [2, 0, 10, 8], [4, 0, 12, 8]
    boxes = np.float32([middle, left])
    both = np.zeros(2, np.int64)
    found = Found(boxes, np.float32([0.9, 0.8]), both)

    def hits(there, iou):
        truth = Truth(np.float32(there), both, both > 0)
        return match([found], [truth], classes=1, ious=[iou]).right.tolist()

    assert hits([left, right], 0.6) == [[True, True]], "the right one goes first, the left one is still free"
    assert hits([right, left], 0.6) == [[True, False]]
    assert hits([middle, left], 1.0) == [[True, True]]


def test_what_lies_in_a_crowd_is_no_false_alarm_however_small():
    crowd = Truth(
        np.float32([[0, 0, 40, 40], [0, 50, 9, 59]]), np.zeros(2, np.int64), np.array([True, False])
    )
    boxes = np.float32([[1, 1, 4, 4], [9, 9, 12, 12], [0, 50, 9, 59]])
    found = Found(boxes, np.float32([0.9, 0.8, 0.7]), np.zeros(3, np.int64))

    matches = match([found], [crowd], classes=1, ious=[0.5])

    assert matches.ignored.tolist() == [[True, True, False]]
    assert mean_average_precision(matches).mean == 1


@pytest.mark.parametrize("seed", range(5))
def test_overlaps_of_boxes_pixels_and_runs_agree(seed):
    rng = np.random.default_rng(seed)
    boxes, others = some_boxes(rng, 7), some_boxes(rng, 5)
    crowd = rng.random(5) < 0.5

    expected = box_iou(boxes, others, crowd=crowd)

    one, other = rectangles(boxes), rectangles(others)
    runs = [Runs.of(mask) for mask in one], [Runs.of(mask) for mask in other]
    np.testing.assert_allclose(mask_iou(one, other, crowd=crowd), expected, atol=1e-12)
    np.testing.assert_allclose(mask_iou(*runs, crowd=crowd), expected, atol=1e-12)
    np.testing.assert_allclose(mask_iou(runs[0], other, crowd=crowd), expected, atol=1e-12)
    noise = rng.random((6, SIZE, SIZE)) < rng.random((6, 1, 1))
    noise[0], noise[1] = False, True
    pixels, counted = mask_iou(noise, other), mask_iou([Runs.of(m) for m in noise], runs[1])
    np.testing.assert_allclose(pixels, counted, atol=1e-12)


def test_degenerate_boxes_overlap_nothing():
    flat = np.float32([[5, 5, 5, 9], [9, 9, 4, 4]])

    assert not box_iou(flat, np.concatenate([flat, np.float32([[0, 0, 20, 20]])])).any()


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("points", [101, None])
def test_a_picture_that_counts_twice_is_a_picture_that_is_there_twice(pooled, points):
    found, truths = draw_scenes(7, pictures=8, steps=1000)
    matches = match(found, truths, classes=3)
    times = np.random.default_rng(0).integers(0, 4, (20, 8))
    weighted = areas(matches, times, points=points, pooled=pooled)

    for row, value in zip(times, weighted, strict=True):
        chosen = np.repeat(np.arange(8), row)
        repeated = match([found[i] for i in chosen], [truths[i] for i in chosen], classes=3)
        again = mean_average_precision(repeated, points=points)
        np.testing.assert_allclose(value, again.pooled[:, None] if pooled else again.per_class, atol=1e-12)


def test_the_interval_holds_the_value_is_seeded_and_wider_for_whole_units():
    found, truths = draw_scenes(1, pictures=40, crowds=0)
    matches = match(found, truths, classes=3).at(0.5)

    one = map_interval(matches, draws=300)

    assert one.value == pytest.approx(mean_average_precision(matches).mean)
    assert one.low < one.value < one.high
    assert (one.n, one.method) == (40, "bootstrap-bca")
    assert map_interval(matches, draws=300) == one
    twice = match([*found, *found], [*truths, *truths], classes=3).at(0.5)
    copies = map_interval(twice, units=np.tile(np.arange(40), 2), draws=300)
    assert (copies.n, copies.method) == (80, "bootstrap-bca-clustered")
    assert copies.high - copies.low > 1.2 * (lambda m: m.high - m.low)(map_interval(twice, draws=300))


def test_a_thousand_draws_of_a_hundred_pictures_with_a_hundred_findings_take_less_than_two_seconds():
    found, truths = draw_scenes(0, pictures=100, classes=3, most_objects=60, most_findings=200, steps=1000)
    matches = match(found, truths, classes=3, most=200).at(0.5)
    started = time.process_time()

    map_interval(matches)

    assert time.process_time() - started < 2


def test_an_interval_without_objects_or_pictures_is_refused():
    found, truths = draw_scenes(0)
    empty = [Truth(t.boxes[:0], t.labels[:0], t.ignored[:0]) for t in truths]

    with pytest.raises(UsageError, match="at least one object"):
        map_interval(match(found, empty, classes=3))
    with pytest.raises(UsageError, match="at least one image"):
        map_interval(match([], [], classes=3))
    with pytest.raises(UsageError, match="one unit for each of 4 pictures"):
        map_interval(match(found, truths, classes=3), units=np.zeros(3, int))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"classes": 2}, r"labels must be in \[0, 2\)"),
        ({"ious": [0.0]}, r"limits of the IoU in \(0, 1\]"),
        ({"ious": []}, "limits of the IoU"),
        ({"most": 0}, "most ≥ 1"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(change, text):
    found, truths = draw_scenes(0, pictures=6)

    with pytest.raises(UsageError, match=text):
        match(found, truths, **{"classes": 3} | change)
    with pytest.raises(UsageError, match="each of 6 pictures; got 5"):
        match(found, truths[:5], classes=3)


def test_arrays_that_do_not_fit_are_refused():
    boxes, scores, labels = np.zeros((2, 4), np.float32), np.ones(2, np.float32), np.zeros(2, np.int64)

    for broken in (
        (boxes[:1], scores, labels),
        (boxes * np.nan, scores, labels),
        (boxes, scores * np.nan, labels),
        (boxes, scores, labels.astype(float)),
        (boxes, scores, labels, np.zeros((1, 4, 4), bool)),
    ):
        with pytest.raises(UsageError, match=r"must be|need a mask"):
            Found(*broken)
    with pytest.raises(UsageError, match="ignored must be bool"):
        Truth(boxes, labels, labels)
    with pytest.raises(UsageError, match="needs masks"):
        match([Found(boxes, scores, labels)], [Truth(boxes, labels, labels > 0)], classes=1, masks=True)
    with pytest.raises(UsageError, match="of one size"):
        mask_iou(np.zeros((1, 4, 4), bool), np.zeros((1, 4, 5), bool))
    with pytest.raises(UsageError, match=r"there is no 0\.4"):
        match([], [], classes=1).at(0.4)
