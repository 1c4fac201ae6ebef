"""Metrics of edges: by scipy's morphology, by distances of all pairs of pixels, and by hand."""

import numpy as np
import pytest
from scipy import ndimage

from foveal.core.errors import UsageError
from foveal.metrics._boundaries import edges, inner_band, near
from foveal.metrics.boundary_f import boundary_counts, boundary_f
from foveal.metrics.boundary_iou import band_counts, boundary_iou

VOID = 255


def blobs(seed, classes=3, shape=(24, 31)):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(classes, *shape)), (0, 3, 3))
    return smooth.argmax(axis=0).astype(np.uint8)


def shifted(regions, by=1):
    return np.roll(regions, by, axis=1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("radius", [0, 1, 1.5, 2, 3.7, 60])
def test_what_is_near_is_within_the_distance(seed, radius):
    mask = np.random.default_rng(seed).random((12, 17)) < 0.04

    distance = ndimage.distance_transform_edt(~mask) if mask.any() else np.full(mask.shape, np.inf)
    np.testing.assert_array_equal(near(mask, radius), distance <= radius)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("width", [1, 2, 5, 40])
def test_the_band_is_the_mask_without_its_erosion(seed, width):
    mask = blobs(seed) == 0
    square = np.ones((3, 3))

    eroded = ndimage.binary_erosion(mask, square, iterations=width, border_value=0)

    np.testing.assert_array_equal(inner_band(mask, width), mask & ~eroded)
    np.testing.assert_array_equal(inner_band(np.stack([mask, ~mask]), width)[0], mask & ~eroded)


def test_edges_touch_another_class_and_not_what_is_unsaid_or_outside():
    regions = np.array([[0, 0, 1], [0, 0, 1], [2, VOID, VOID]], np.uint8)

    assert edges(regions).astype(int).tolist() == [[0, 1, 1], [1, 1, 1], [1, 0, 0]]


@pytest.mark.parametrize("seed", range(4))
def test_f_of_edges_by_the_distances_of_all_pairs(seed):
    truth, found = blobs(seed), blobs(seed + 100)
    found[:, :15] = shifted(truth)[:, :15]
    truth[:3, :3] = VOID

    counts = boundary_counts(found, truth, classes=3, pixels=2)

    masked = np.where(truth == VOID, VOID, found)
    for label in range(3):
        one = np.argwhere(edges(masked) & (masked == label)).astype(float)
        other = np.argwhere(edges(truth) & (truth == label)).astype(float)
        close = np.hypot(*(one[:, None] - other[None]).transpose(2, 0, 1)) <= 2
        expected = [close.any(axis=1).sum(), len(one), close.any(axis=0).sum(), len(other)]
        assert counts[label].tolist() == expected
    value = boundary_f(counts[None], draws=10)
    precision, recall = counts[:, 0] / counts[:, 1], counts[:, 2] / counts[:, 3]
    assert value.mean.value == pytest.approx((2 * precision * recall / (precision + recall)).mean())


def test_a_shift_within_the_tolerance_costs_nothing_and_beyond_it_much():
    truth = np.zeros((60, 80), np.uint8)
    truth[20:40, 20:50] = 1

    def f(by, **tolerance):
        return boundary_f(boundary_counts(shifted(truth, by), truth, classes=2, **tolerance)[None], draws=5)

    assert f(0, pixels=0).mean.value == 1
    assert f(2, pixels=2).mean.value == 1
    assert f(3, pixels=2).mean.value < 1
    assert f(2, share=0.02).mean.value == 1, "2 pixels of a diagonal of 100"
    assert f(3).mean.value == f(3, pixels=0.75).mean.value, "0.75 % of it, unless told otherwise"


@pytest.mark.parametrize("seed", range(4))
def test_boundary_iou_is_written_down_as_in_the_paper(seed):
    truth, found = blobs(seed, shape=(60, 80)), shifted(blobs(seed, shape=(60, 80)), 2)

    counts = band_counts(found, truth, classes=3)

    for label in range(3):
        masks = []
        for regions in (found, truth):
            mask = np.pad(regions == label, 1)
            eroded = ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=2)  # 2 % of 100
            masks.append((mask & ~eroded)[1:-1, 1:-1])
        assert counts[label].tolist() == [
            (masks[0] & masks[1]).sum(),
            (masks[0] | masks[1]).sum(),
            masks[1].sum(),
        ]
    value = boundary_iou(counts[None], draws=10)
    assert value.mean.value == pytest.approx((counts[:, 0] / counts[:, 1]).mean())
    assert boundary_iou(band_counts(truth, truth, classes=3)[None], draws=10).mean.value == 1


def test_a_large_area_hides_its_edge_from_the_iou_and_not_from_these():
    truth = np.zeros((100, 100), np.uint8)
    truth[10:90, 10:90] = 1
    found = shifted(truth, 3)
    inside, either = ((found == 1) & (truth == 1)).sum(), ((found == 1) | (truth == 1)).sum()

    assert inside / either > 0.9
    assert boundary_iou(band_counts(found, truth, classes=2)[None], draws=5).per_class[1].value < 0.7
    assert boundary_f(boundary_counts(found, truth, classes=2)[None], draws=5).per_class[1].value < 0.7


def test_a_class_that_is_not_there_is_in_no_mean_and_counts_are_added_up():
    truth = np.stack([blobs(seed, classes=2) for seed in range(6)])
    found = np.stack([shifted(one) for one in truth])
    found[0, :4, :4] = 2

    for count, metric in ((boundary_counts, boundary_f), (band_counts, boundary_iou)):
        table = np.stack([count(f, t, classes=4) for f, t in zip(found, truth, strict=True)])
        value = metric(table, draws=100)
        assert [one is None for one in value.per_class] == [False, False, True, True]
        assert value.mean.value == pytest.approx(np.mean([one.value for one in value.per_class[:2]]))
        assert value.mean.low < value.mean.value < value.mean.high
        assert (value.mean.n, value.mean.method) == (6, "bootstrap-bca")
        summed = metric(table.sum(axis=0, keepdims=True), draws=5)
        assert summed.mean.value == pytest.approx(value.mean.value)
        grouped = metric(table, units=np.arange(6) // 2, draws=50).mean
        assert grouped.method == "bootstrap-bca-clustered"


def test_what_is_found_where_nothing_is_said_does_not_matter():
    truth = blobs(3)
    truth[5:12, 5:12] = VOID
    found = np.where(truth == VOID, 1, truth).astype(np.uint8)

    for count, metric in ((boundary_counts, boundary_f), (band_counts, boundary_iou)):
        assert metric(count(found, truth, classes=3)[None], draws=5).mean.value == 1


def test_a_class_that_was_not_found_at_all_has_0():
    truth = blobs(0, classes=2)
    found = np.zeros_like(truth)

    assert boundary_f(boundary_counts(found, truth, classes=2)[None], draws=5).per_class[1].value == 0
    assert boundary_iou(band_counts(found, truth, classes=2)[None], draws=5).per_class[1].value == 0


def test_what_cannot_be_measured_is_refused():
    flat = np.zeros((5, 5), np.uint8)

    with pytest.raises(UsageError, match="an edge between two classes"):
        boundary_f(boundary_counts(flat, flat, classes=2)[None])
    with pytest.raises(UsageError, match="something is said"):
        boundary_iou(band_counts(flat, flat + np.uint8(255), classes=2)[None])
    with pytest.raises(UsageError, match="tolerance is 0 or more"):
        boundary_counts(flat, flat, classes=2, pixels=-1)
    with pytest.raises(UsageError, match="above 0; got a share"):
        band_counts(flat, flat, classes=2, share=0)
    with pytest.raises(UsageError, match="two maps"):
        band_counts(flat, flat[:3], classes=2)
