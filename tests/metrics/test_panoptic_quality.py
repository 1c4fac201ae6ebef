"""Panoptic quality, beside a slow implementation that was written from the paper, segment by segment."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foveal.core.errors import UsageError
from foveal.metrics._segments import Segments
from foveal.metrics.panoptic_quality import panoptic_counts, panoptic_quality

THINGS = np.array([True, True, False, False])
VOID = 255


def draw(seed):
    """Draw rectangles over stuff, and what was found: mostly the same, moved a little."""
    rng = np.random.default_rng(seed)
    shape = (16, 16)
    maps = {name: [np.full(shape, 2), np.zeros(shape, int)] for name in ("truth", "found")}
    for regions, _ in maps.values():
        regions[:, rng.integers(5, 11) :] = 3
    for number in range(rng.integers(0, 7)):
        top, left = rng.integers(0, 12, 2)
        height, width = rng.integers(2, 6, 2)
        label = rng.choice([0, 1, 2, VOID])
        for name, (regions, instances) in maps.items():
            dy, dx = rng.integers(-1, 2, 2) if name == "found" else (0, 0)
            area = slice(max(top + dy, 0), top + dy + height), slice(max(left + dx, 0), left + dx + width)
            regions[area] = label if rng.random() < 0.8 else rng.integers(0, 4)
            instances[area] = number + (100 if name == "found" else 1)
    crowds = tuple(int(n) for n in range(1, 8) if rng.random() < 0.2)
    truth = Segments(maps["truth"][0].astype(np.uint8), maps["truth"][1], crowds)
    return Segments(maps["found"][0].astype(np.uint8), maps["found"][1]), truth


def slow(found, truth):
    """Return Σ IoU, right, wrong and missed of each class, as the paper puts it."""

    def listed(one):
        masks = []
        for label in range(4):
            where = one.regions == label
            if THINGS[label]:
                numbers = np.unique(one.instances[where])
                masks += [(label, where & (one.instances == n), n in one.crowds) for n in numbers]
            elif where.any():
                masks.append((label, where, False))
        return masks

    mine, true = listed(found), listed(truth)
    unsaid = truth.regions == VOID
    counts = np.zeros((4, 4))
    taken, hit = set(), set()
    for i, (label, mask, _) in enumerate(mine):
        for j, (other, there, crowd) in enumerate(true):
            if label != other or crowd:
                continue
            inside = mask & ~unsaid  # "all pixels in the ground truth labeled void are removed"
            iou = (inside & there).sum() / (inside | there).sum()
            if iou > 0.5:
                taken.add(i)
                hit.add(j)
                counts[label] += [iou, 1, 0, 0]
    for i, (label, mask, _) in enumerate(mine):
        crowd = np.any([there for other, there, crowd in true if crowd and other == label], axis=0)
        if i not in taken and (mask & (unsaid | crowd)).sum() <= mask.sum() / 2:
            counts[label, 2] += 1
    for j, (label, _, crowd) in enumerate(true):
        counts[label, 3] += j not in hit and not crowd
    return counts


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_it_equals_what_the_paper_says_segment_by_segment(seed):
    found, truth = draw(seed)

    np.testing.assert_allclose(panoptic_counts(found, truth, things=THINGS), slow(found, truth))


def table(pictures=30):
    return np.stack([panoptic_counts(*draw(seed), things=THINGS) for seed in range(pictures)])


def test_means_over_all_things_and_stuff():
    counts = table()

    value = panoptic_quality(counts, things=THINGS, draws=200)

    total, right, wrong, missed = counts.sum(axis=0).T
    pq, sq = total / (right + wrong / 2 + missed / 2), total / right
    rq = 2 * right / (2 * right + wrong + missed)
    np.testing.assert_allclose([one.pq.value for one in value.per_class], pq)
    np.testing.assert_allclose([one.sq.value * one.rq.value for one in value.per_class], pq)
    for one, chosen in ((value.all, slice(None)), (value.things, slice(2)), (value.stuff, slice(2, 4))):
        found = [one.pq.value, one.sq.value, one.rq.value]
        np.testing.assert_allclose(found, [pq[chosen].mean(), sq[chosen].mean(), rq[chosen].mean()])
        assert one.pq.low < one.pq.value < one.pq.high
        assert (one.pq.n, one.pq.method) == (30, "bootstrap-bca")


def test_perfect_is_one_and_ids_are_only_names():
    _, truth = draw(5)
    renamed = Segments(truth.regions, truth.instances * 7 + 3)
    plain = Segments(truth.regions, truth.instances)

    counts = panoptic_counts(renamed, plain, things=THINGS)

    value = panoptic_quality(counts[None], things=THINGS, draws=5)
    assert value.all.pq.value == value.all.sq.value == value.all.rq.value == 1


def test_a_class_that_is_neither_there_nor_found_is_in_no_mean_and_one_only_found_is():
    flat = np.full((4, 4), 2, np.uint8)
    none = np.zeros((4, 4), int)
    half = flat.copy()
    half[0] = 0

    same = panoptic_counts(Segments(flat, none), Segments(flat, none), things=THINGS)
    more = panoptic_counts(Segments(half, none), Segments(flat, none), things=THINGS)

    value = panoptic_quality(same[None], things=THINGS, draws=5)
    assert (value.things.pq, value.per_class[0].pq, value.all.pq.value) == (None, None, 1)
    worse = panoptic_quality(more[None], things=THINGS, draws=5)
    assert (worse.things.pq.value, worse.things.sq.value) == (0, 0)
    assert worse.all.pq.value == pytest.approx(0.75 / 2)


def test_instances_of_stuff_do_not_matter_and_of_things_they_do():
    regions = np.zeros((4, 4), np.uint8)
    parts = np.repeat([[1], [1], [2], [2]], 4, axis=1)

    things = panoptic_counts(Segments(regions, parts * 0), Segments(regions, parts), things=THINGS)
    stuff = panoptic_counts(
        Segments(regions + np.uint8(2), parts * 0), Segments(regions + np.uint8(2), parts), things=THINGS
    )

    assert things[0].tolist() == [0, 0, 1, 2], "half of it is not above a half"
    assert stuff[2].tolist() == [1, 1, 0, 0]
    grass = Segments(regions + np.uint8(2), parts * 0, crowds=(0,))
    assert panoptic_counts(grass, grass, things=THINGS)[2].tolist() == [1, 1, 0, 0], "stuff is no crowd"


def test_maps_that_make_no_sense_are_refused():
    regions, instances = np.zeros((3, 3), np.uint8), np.zeros((3, 3), int)
    good = Segments(regions, instances)

    with pytest.raises(UsageError, match=r"uint8 \(H, W\)"):
        Segments(regions.astype(int), instances)
    with pytest.raises(UsageError, match="whole numbers"):
        Segments(regions, instances.astype(float))
    with pytest.raises(UsageError, match=r"need instances \(3, 3\)"):
        Segments(regions, instances[:2])
    with pytest.raises(UsageError, match="instances must be in"):
        Segments(regions, instances - 1)
    with pytest.raises(UsageError, match="sizes differ"):
        panoptic_counts(good, Segments(regions[:2], instances[:2]), things=THINGS)
    with pytest.raises(UsageError, match=r"in \[0, 4\); got 9"):
        panoptic_counts(Segments(regions + np.uint8(9), instances), good, things=THINGS)
    with pytest.raises(UsageError, match=r"\(N, 4, 4\)"):
        panoptic_quality(np.zeros((2, 3, 4)), things=THINGS)
