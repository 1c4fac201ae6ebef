"""Lines and zones: counts in scenes whose truth is known, and what the interval holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foveal.core.errors import UsageError
from foveal.stream.tracking.lines import Line
from foveal.stream.tracking.tracker import Tracked, Tracker
from foveal.stream.tracking.zones import Zone, depths

RATE = 25.0
SQUARE = [(100, 100), (200, 100), (200, 200), (100, 200)]


def times(seconds):
    return np.arange(0, seconds, 1 / RATE)


def upright(band=8.0, **options):
    """Return a line upwards at x = 100: what goes to larger x goes to its right."""
    return Line((100, 400), (100, 0), band=band, anchor="middle", **options)


def numbers(count):
    return count.low, count.value, count.high


def seen(time, names, middles, *, confirmed=True, ended=(), missed=0):
    """Return an answer of a tracker by hand."""
    middles = np.asarray(middles, float).reshape(-1, 2)
    whole = np.full(len(middles), missed)
    return Tracked(
        time_s=time,
        ids=np.array(names, np.int64),
        confirmed=np.full(len(middles), confirmed),
        boxes=np.concatenate([middles - 5, middles + 5], axis=1),
        labels=np.zeros(len(middles), np.int64),
        detections=np.arange(len(middles)),
        missed=whole,
        gap_s=(1 + whole) / RATE,
        ended=np.array(ended, np.int64),
    )


def walk(counter, places, name=1, **options):
    for step, place in enumerate(places):
        counter.update(seen(step / RATE, [name], [place], **options))
    return counter.read()


def test_each_object_is_counted_once_in_its_direction_with_its_class(walker, follow):
    line = upright()
    walkers = [walker((20, 40 * k + 20), (50, 0), label=k % 2) for k in range(6)]
    walkers += [walker((180, 40 * k + 40), (-50, 0), label=3) for k in range(3)]

    for answer in follow(walkers, times(4)).answers:
        line.update(answer)

    found = line.read()
    assert numbers(found.to_right) == (6, 6, 6)
    assert numbers(found.to_left) == (3, 3, 3)
    assert found.to_right.by_label == {0: 3, 1: 3}
    assert found.to_left.by_label == {3: 3}


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_whatever_is_missing_the_truth_is_in_the_interval(walker, follow, seed):
    """Gaps of up to half a second, doubtful boxes, dropped pictures: but all are seen before and after."""
    rng = np.random.default_rng(seed)
    walkers = []
    for lane in range(rng.integers(1, 9)):
        gone, doubtful, right = rng.uniform(0.4, 3, 3)
        speed = rng.uniform(40, 80) * (1 if right > 1.7 else -1)
        walkers.append(
            walker(
                (100 - 1.75 * speed, 45 * lane + 20),
                (speed, 0),
                gone=(gone, gone + rng.uniform(0, 0.5)),
                doubtful=(doubtful, doubtful + 0.3),
            )
        )
    line = upright()
    for answer in follow(walkers, times(3.5)[rng.random(88) < 0.9], seed=seed).answers:
        line.update(answer)

    found, truth = line.read(), sum(one.speed[0] > 0 for one in walkers)
    assert found.to_right.low <= truth <= found.to_right.high
    assert (found.to_right.value, found.to_left.value) == (truth, len(walkers) - truth)


def test_trembling_on_the_line_counts_once_or_not_at_all():
    rng = np.random.default_rng(0)
    there = [(80, 50), *((100 + x, 50) for x in rng.uniform(-7, 7, 100))]

    stays = walk(upright(), there)
    passes = walk(upright(), [*there, (120, 50)])
    turns = walk(upright(), [*there, (80, 50)])

    assert numbers(stays.to_right) == (0, 0, 1), "it may have crossed"
    assert numbers(passes.to_right) == (1, 1, 1)
    assert numbers(turns.to_right) == (0, 0, 0)
    assert all(numbers(one.to_left) == (0, 0, 0) for one in (stays, passes, turns))
    bare = walk(upright(band=0.0), [*there, (80, 50)])
    assert bare.to_right.value + bare.to_left.value == 1, "without a band it counts, once all the same"


def test_to_and_fro_is_one_crossing_in_the_first_direction():
    found = walk(upright(), [(x, 50) for x in [80, 120, 80, 120, 80]])

    assert (numbers(found.to_right), numbers(found.to_left)) == ((1, 1, 1), (0, 0, 0))


def test_past_the_end_of_the_line_is_no_crossing():
    past = walk(upright(), [(80, 500), (120, 500)])
    around = walk(upright(), [(80, 390), (80, 500), (120, 500), (120, 390)])
    slanting = walk(upright(), [(80, 420), (90, 409), (104, 396), (130, 370)])

    assert (past.to_right.high, around.to_right.high) == (0, 0)
    assert slanting.to_right.value == 1, "it goes through where it passes the line, not where it begins"


def test_tracks_that_are_not_confirmed_are_not_counted_but_are_in_doubt():
    line = upright()
    for step, place in enumerate([(80, 50), (120, 50)]):
        line.update(seen(step / RATE, [7], [place], confirmed=False))

    assert numbers(line.read().to_right) == (0, 0, 1)
    line.update(seen(1, [7], [(130, 50)]))
    assert numbers(line.read().to_right) == (1, 1, 1), "it counts once it is confirmed"


def test_ids_that_flicker_up_and_vanish_do_not_make_a_crowd():
    """Noise near the line begins tracks that never are confirmed: none is counted, however many there are."""
    rng = np.random.default_rng(0)
    line, tracker = upright(), Tracker()
    for step in range(200):
        corners = np.stack([rng.uniform(60, 140, 3), rng.uniform(0, 5000, 3)], axis=1)
        boxes = np.concatenate([corners, corners + 10], axis=1)
        line.update(tracker.update(boxes, np.full(3, 0.9), np.zeros(3, int), step / RATE))

    found = line.read()
    assert (found.to_right.value, found.to_left.value) == (0, 0)


def test_a_crossing_that_was_not_watched_is_below_the_value_and_above_low():
    line = upright()
    line.update(seen(0, [1], [(60, 50)]))
    line.update(seen(1, [1], [(140, 50)], missed=10))
    late = upright(watched_s=0.05)
    late.update(seen(0, [1], [(60, 50)]))
    late.update(seen(1, [1], [(140, 50)], missed=1))

    assert numbers(line.read().to_right) == (0, 1, 1)
    assert numbers(late.read().to_right) == (0, 1, 1)
    before = walk(upright(), [(60, 50), (70, 50), (140, 50)])
    assert numbers(before.to_right) == (1, 1, 1)


def test_a_gap_that_was_over_before_the_crossing_is_no_doubt():
    line = upright()
    line.update(seen(0, [1], [(40, 50)]))
    line.update(seen(1, [1], [(70, 50)], missed=10))
    line.update(seen(1.04, [1], [(110, 50)]))

    assert numbers(line.read().to_right) == (1, 1, 1)


def test_what_ended_is_remembered_as_a_number_only():
    line, zone = upright(), Zone(SQUARE)
    for name in range(1000):
        for counter in (line, zone):
            counter.update(seen(name, [name], [(80, 150)]))
            counter.update(seen(name, [name], [(120, 150)]))
            counter.update(seen(name, [], [], ended=[name]))

    assert numbers(line.read().to_right) == (1000, 1000, 1000)
    assert numbers(zone.read().entered) == (1000, 1000, 1000)
    assert len(line._paths) == len(zone._stays) == 0


def test_an_end_within_the_band_is_in_doubt():
    line = upright()
    line.update(seen(0, [1], [(80, 50)]))
    line.update(seen(0.04, [1], [(99, 50)]))
    line.update(seen(2, [], [], ended=[1]))

    assert numbers(line.read().to_right) == (0, 0, 1)
    assert numbers(line.read().to_left) == (0, 0, 0)
    past = walk(upright(), [(80, 450), (99, 450)])
    assert past.to_right.high == 0, "beyond the end of the line it crosses nothing"


def test_objects_in_a_zone_now_and_ever(walker, follow):
    walkers = [walker((60, 120 + 25 * k), (60, 0), label=k) for k in range(3)]
    walkers.append(walker((150, 190), (0, 0), label=0))
    zone, inside = Zone(SQUARE, band=4, anchor="middle"), []

    for answer in follow(walkers, times(4)).answers:
        zone.update(answer)
        inside.append(zone.read().now.value)

    assert inside[-1] == 1, "one stands there, the others have passed"
    assert max(inside) == 4
    entered = zone.read().entered
    assert numbers(entered) == (3, 4, 4), "that one began inside"
    assert entered.by_label == {0: 2, 1: 1, 2: 1}


def test_trembling_at_the_border_does_not_come_and_go():
    rng = np.random.default_rng(0)
    zone, inside = Zone(SQUARE, band=8, anchor="middle"), []
    for step, x in enumerate([150, *(200 + rng.uniform(-7, 7, 50)), 220, *(200 + rng.uniform(-7, 7, 50))]):
        zone.update(seen(step / RATE, [1], [(x, 150)]))
        inside.append(zone.read().now.value)

    assert inside == [1] * 51 + [0] * 51
    assert zone.read().entered.value == 1


def test_who_is_hidden_is_still_there_but_in_doubt_until_the_track_ends():
    zone = Zone(SQUARE)
    zone.update(seen(0, [1, 2], [(150, 150), (150, 120)]))
    zone.update(seen(0.04, [2], [(150, 120)]))

    assert numbers(zone.read().now) == (1, 2, 2)
    zone.update(seen(2, [2], [(150, 120)], ended=[1]))
    assert numbers(zone.read().now) == (1, 1, 1)
    zone.update(seen(2.04, [2, 3], [(150, 120), (300, 300)], confirmed=False))
    assert numbers(zone.read().now) == (0, 0, 1)


def test_the_lower_side_of_a_box_is_where_it_stands():
    standing, middle = Zone(SQUARE), Zone(SQUARE, anchor="middle")
    for zone in (standing, middle):
        zone.update(seen(0, [1], [(150, 97)]))

    assert (standing.read().now.value, middle.read().now.value) == (1, 0)


@pytest.mark.parametrize("turn", [1, -1])
def test_depth_is_the_distance_to_the_border_signed(turn):
    square = np.array(SQUARE, float)[::turn]
    points = np.array([[150, 150], [110, 150], [90, 150], [150, 230], [203, 204]], float)

    np.testing.assert_allclose(depths(points, square), [50, 10, -10, -30, -5])
    hollow = np.array([(0, 0), (90, 0), (90, 90), (60, 90), (60, 30), (30, 30), (30, 90), (0, 90)], float)
    assert (depths(np.array([[45.0, 60], [15, 60], [75, 60], [45, 15]]), hollow) > 0).tolist() == [0, 1, 1, 1]


def test_lines_and_zones_that_are_none_are_refused():
    with pytest.raises(UsageError, match="two different points"):
        Line((1, 1), (1, 1), band=3)
    with pytest.raises(UsageError, match="band of 0 or more"):
        Line((1, 1), (2, 1), band=-1)
    with pytest.raises(UsageError, match="three corners"):
        Zone([(0, 0), (1, 1)])
    with pytest.raises(UsageError, match="band of 0 or more"):
        Zone(SQUARE, band=-1)
