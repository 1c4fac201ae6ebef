"""Who keeps which number, in scenes whose truth is known."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foveal.core.errors import UsageError
from foveal.stream.tracking._pool import Pool
from foveal.stream.tracking.motion import Motion
from foveal.stream.tracking.tracker import Rules, Tracker

RATE = 25.0
NOTHING = np.empty((0, 4)), np.empty(0), np.empty(0, np.int64)


def one_box(left):
    return np.array([[left, 0, left + 20, 20]]), np.ones(1), np.zeros(1, int)


def times(seconds, rate=RATE):
    return np.arange(0, seconds, 1 / rate)


def test_objects_that_go_straight_keep_their_number_and_are_confirmed_in_the_third_picture(walker, follow):
    walkers = [walker((30, 50 + 60 * k), (40 + 10 * k, 0)) for k in range(5)]

    found = follow(walkers, times(4))

    assert [found.ids_of(k) for k in range(5)] == [found.ids_of(k, confirmed=False) for k in range(5)]
    assert sorted(name for k in range(5) for name in found.ids_of(k)) == [1, 2, 3, 4, 5]
    assert [answer.confirmed.all() for answer in found.answers[:4]] == [False, False, True, True]
    assert all(len(answer.ids) == 5 for answer in found.answers)


def test_objects_that_cross_each_other_keep_their_numbers(walker, follow):
    walkers = [walker((20, 100), (60, 30)), walker((20, 200), (60, -30)), walker((200, 150), (-60, 0))]

    found = follow(walkers, times(4))

    assert [len(found.ids_of(k)) for k in range(3)] == [1, 1, 1]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_far_from_each_other_nothing_is_mixed_up_whatever_is_missing(walker, follow, seed):
    """Every object is in a lane of its own and missing for up to half a second now and then."""
    rng = np.random.default_rng(seed)
    walkers = []
    for lane in range(rng.integers(1, 8)):
        gone = rng.uniform(0.3, 3)
        doubtful = rng.uniform(0.3, 3)
        walkers.append(
            walker(
                (rng.uniform(0, 300), 60 * lane),
                (rng.uniform(-100, 100), rng.uniform(-3, 3)),
                label=int(rng.integers(0, 3)),
                gone=(gone, gone + rng.uniform(0, 0.5)),
                doubtful=(doubtful, doubtful + rng.uniform(0, 0.5)),
            )
        )
    taken = times(4)[rng.random(100) < 0.9]  # dropped frames

    found = follow(walkers, taken, seed=seed)

    names = [found.ids_of(k) for k in range(len(walkers))]
    assert all(len(one) == 1 for one in names)
    assert len({one[0] for one in names}) == len(walkers)
    for answer, who in zip(found.answers, found.who, strict=True):
        for name, label in zip(answer.ids, answer.labels, strict=True):
            assert label == walkers[who[answer.ids == name][0]].label


def test_through_an_occlusion_a_number_is_kept_and_after_too_long_it_is_another(walker, follow):
    hidden = [walker((20, 50), (80, 0), gone=(1.0, 1.8)), walker((20, 200), (80, 0), gone=(1.0, 2.5))]

    found = follow(hidden, times(4))

    assert len(found.ids_of(0)) == 1
    assert len(found.ids_of(1)) == 2
    ended = np.concatenate([answer.ended for answer in found.answers])
    assert ended.tolist() == found.ids_of(1)[:1]
    again = [answer for answer in found.answers if (answer.missed > 0).any()]
    assert len(again) == 1
    assert again[0].gap_s.max() == pytest.approx(0.84, abs=0.05)


def test_an_object_that_turns_while_it_is_hidden_is_found_where_it_was_seen_last():
    """It is expected far ahead, and stands where it was: only the last box that was seen finds it."""
    tracker, answers = Tracker(), []
    for step in range(60):
        at = min(step, 20) * 6.0
        boxes = (
            NOTHING if 21 <= step < 35 else (np.array([[at, 0, at + 20, 20]]), np.ones(1), np.zeros(1, int))
        )
        answers.append(tracker.update(*boxes, step / RATE))

    assert {name for answer in answers for name in answer.ids.tolist()} == {1}


def test_doubtful_boxes_go_on_with_tracks_and_begin_none(walker, follow):
    dim = [walker((20, 50), (50, 0), doubtful=(1, 3)), walker((20, 200), (50, 0), doubtful=(0, 9))]

    found = follow(dim, times(4))

    assert len(found.ids_of(0)) == 1
    assert all(0 in who for who in found.who), "it is followed through all of it"
    assert found.ids_of(1, confirmed=False) == []
    without = follow(dim, times(4), Tracker(Rules(doubtful=0.5)))
    assert len(without.ids_of(0)) == 2, "the control"


def test_the_direction_decides_between_two_that_overlap_alike():
    """A track goes right; of two boxes that lie as far from where it is expected one lies ahead."""
    rules = {weight: Rules(momentum=weight, overlap=0.1) for weight in (0.0, 0.2)}
    chosen = {}
    for weight, rule in rules.items():
        tracker = Tracker(rule)
        for step in range(5):
            tracker.update(*one_box(step * 4.0), step / 25)
        behind, ahead = one_box(20 - 14.0)[0], one_box(20 + 14.2)[0]
        boxes = np.concatenate([behind, ahead])
        answer = tracker.update(boxes, np.ones(2), np.zeros(2, int), 5 / 25)
        chosen[weight] = int(answer.detections[answer.ids == 1][0])

    assert chosen == {0.0: 0, 0.2: 1}


def test_a_track_that_was_lost_is_not_found_again_by_a_doubtful_box(walker, follow):
    """What is seen doubtfully where nothing sure is seen any more may be anything."""
    back = [walker((20, 50), (50, 0), gone=(1.0, 1.3), doubtful=(1.3, 1.6))]

    found = follow(back, times(3))

    gaps = [answer.gap_s.max() for answer in found.answers if len(answer.ids)]
    assert max(gaps) == pytest.approx(0.64, abs=0.05)


def test_after_a_gap_the_path_between_two_observations_counts_not_the_forecast():
    """It was fast, stood still unseen, and is seen again: it must not be taken as still so fast."""
    speeds = {}
    for walked in (True, False):
        pool = Pool()
        pool.begin(one_box(0.0)[0], np.zeros(1, int), 0.0)
        for step in range(1, 15):
            pool.forecast(0.04)
            pool.see(np.array([0]), one_box(4.0 * step)[0], np.zeros(1, int), 0.04 * step)
        for _ in range(5):
            pool.forecast(0.04)
        if walked:
            pool.see(np.array([0]), one_box(56.0)[0], np.zeros(1, int), 0.04 * 19)
            speeds[walked] = abs(pool.motion.speed[0, 0])
        else:
            speeds[walked] = abs(pool.motion.seen(one_box(56.0)[0]).speed[0, 0])

    assert speeds[True] < 0.85 * speeds[False]


def test_what_stands_still_has_no_direction_and_what_moves_has():
    pool = Pool()
    pool.begin(np.array([[0, 0, 20, 20.0], [100, 0, 120, 20]]), np.zeros(2, int), 0.0)
    for step in range(1, 4):
        pool.forecast(0.04)
        boxes = np.array([[0, 0, 20, 20.0], [100 + 5 * step, 0, 120 + 5 * step, 20]])
        pool.see(np.arange(2), boxes + 0.1 * step, np.zeros(2, int), 0.04 * step)

    fit = pool.direction(np.array([[130.0, 10], [90, 10], [115, 60]]))

    assert fit[0].tolist() == [0, 0, 0]
    assert fit[1, 0] == pytest.approx(0.5, abs=0.02)
    assert fit[1, 1] == pytest.approx(-0.5, abs=0.02)
    assert abs(fit[1, 2]) < 0.1


def test_a_track_that_is_not_confirmed_ends_when_it_is_missing_once():
    tracker = Tracker()
    tracker.update(*one_box(0.0), 0.0)
    tracker.update(*one_box(0.0), 0.04)

    gone = tracker.update(*NOTHING, 0.08)
    again = tracker.update(*one_box(0.0), 0.12)

    assert (gone.ended.tolist(), again.ids.tolist()) == ([1], [2])


def test_unconfirmed_tracks_have_numbers_of_their_own():
    rng = np.random.default_rng(0)
    tracker, names = Tracker(), []
    for step in range(30):
        corners = rng.uniform(0, 2000, (4, 2))
        boxes = np.concatenate([corners, corners + 10], axis=1)
        answer = tracker.update(boxes, np.ones(4), np.zeros(4, int), step / RATE)
        assert not answer.confirmed.any()
        names += answer.ids.tolist()

    assert len(set(names)) == len(names) == 120
    assert min(names) == 1


def test_the_class_is_that_of_most_pictures():
    tracker = Tracker()
    for step, label in enumerate([2, 0, 0, 1, 0, 1]):
        answer = tracker.update(*one_box(0.0)[:2], np.array([label]), step / RATE)

    assert answer.labels.tolist() == [0]


def test_with_dropped_pictures_time_counts_not_pictures(walker, follow):
    """In the end every sixth picture alone is seen: boxes overlap no longer, but with what is expected."""
    fast = [walker((20, 50), (400, 0))]

    slow_start = np.concatenate([np.arange(0, 0.4, 1 / 50), np.arange(0.4, 2, 0.12)])

    assert len(follow(fast, slow_start).ids_of(0)) == 1


def test_a_longer_gap_makes_the_filter_less_certain_and_it_learns_the_speed():
    boxes = np.array([[0, 0, 20, 20.0]])
    motion = Motion.begin(boxes)
    for step in range(1, 20):
        motion = motion.after(0.1).seen(boxes + step * 3)

    np.testing.assert_allclose(motion.speed[0, :2], 30, rtol=0.02)
    np.testing.assert_allclose(motion.after(1.0).boxes - motion.boxes, 30, rtol=0.05)
    variances = [motion.after(seconds).place_variance[0, 0] for seconds in (0, 0.1, 0.5, 2)]
    assert variances == sorted(variances)
    halves, whole = motion.after(0.3).after(0.3), motion.after(0.6)
    for name in ("place", "place_variance", "covariance", "speed_variance"):
        np.testing.assert_allclose(getattr(halves, name), getattr(whole, name), rtol=1e-9)


def test_the_filter_equals_that_with_matrices():
    boxes = np.array([[0, 0, 20, 20.0]])
    motion = Motion.begin(boxes)
    state, variance = np.array([10.0, 0.0]), np.diag([1.0, 60.0**2])
    for step, seconds in enumerate([0.1, 0.3, 0.04]):
        seen = boxes + 4 * (step + 1)
        motion = motion.after(seconds).seen(seen)
        move = np.array([[1, seconds], [0, 1]])
        unrest = 400 * np.array([[seconds**3 / 3, seconds**2 / 2], [seconds**2 / 2, seconds]])
        state, variance = move @ state, move @ variance @ move.T + unrest
        gain = variance[:, :1] / (variance[0, 0] + 1.0)
        state = state + gain[:, 0] * (10 + 4 * (step + 1) - state[0])
        variance = variance - gain @ variance[:1]

    assert (motion.place[0, 0], motion.speed[0, 0]) == pytest.approx(tuple(state), rel=1e-6)
    found = motion.place_variance[0, 0], motion.covariance[0, 0], motion.speed_variance[0, 0]
    assert found == pytest.approx((variance[0, 0], variance[0, 1], variance[1, 1]), rel=1e-6)


def test_empty_pictures_at_any_time():
    tracker = Tracker()

    first = tracker.update(*NOTHING, 0.0)
    tracker.update(*one_box(0.0), 0.0)
    last = tracker.update(*NOTHING, 5.0)

    assert (len(first.ids), len(last.ids), last.ended.tolist()) == (0, 0, [1])


def test_arguments_that_make_no_sense_are_refused():
    tracker = Tracker()
    boxes, scores, labels = np.zeros((2, 4)), np.ones(2), np.zeros(2, int)
    tracker.update(*NOTHING, 3.0)

    with pytest.raises(UsageError, match=r"goes back from 3\.0 s to 2\.0 s"):
        tracker.update(*NOTHING, 2.0)
    for broken in (
        (boxes[:1], scores, labels),
        (boxes * np.nan, scores, labels),
        (boxes, scores * 2, labels),
        (boxes, scores, labels - 1),
        (boxes, scores, labels.astype(float)),
    ):
        with pytest.raises(UsageError, match="must be"):
            tracker.update(*broken, 4.0)
    for rules in ({"doubtful": 0.7}, {"overlap": 0}, {"confirmed_after": 0}, {"momentum": 0.9}):
        with pytest.raises(UsageError, match=r"must rise|need an overlap|momentum"):
            Rules(**rules)


def test_it_imports_neither_torch_nor_scipy():
    code = """
import sys
import foveal.stream.tracking.lines, foveal.stream.tracking.zones
assert not {"torch", "scipy", "sklearn", "onnx"} & set(sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_after_a_cut_nothing_goes_on_and_no_number_comes_back() -> None:
    tracker, box = Tracker(), np.array([[10.0, 10, 40, 40]])
    one, label = np.array([0.9]), np.array([0])
    for step in range(4):
        before = tracker.update(box, one, label, step / 10)

    ended = tracker.cut(0.4)
    after = tracker.update(box, one, label, 0.4)

    assert before.confirmed.all()
    assert ended.ended.tolist() == before.ids.tolist()
    assert len(ended.ids) == 0
    assert after.ids.tolist() != before.ids.tolist()
    assert not after.confirmed.any()
    assert len(after.ended) == 0
