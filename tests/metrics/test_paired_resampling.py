"""paired_resampling: differences of what is no mean over pictures, against what is known of means."""

import numpy as np
import pytest

from foveal.core.errors import UsageError
from foveal.evaluate.paired_scenes import both_map, both_miou, paired_scenes
from foveal.metrics._found import Found, Truth
from foveal.metrics.match import match
from foveal.metrics.mean_average_precision import mean_average_precision
from foveal.metrics.mean_iou import mean_iou
from foveal.metrics.paired_resampling import paired_resampling
from foveal.metrics.sign_flips import sign_flips


def mean_of(first, second):
    """Return the worth of answers whose worth is a mean over pictures."""
    both = np.concatenate([first, second])
    return lambda times: times @ both / times.sum(axis=1)


def truth(rng) -> Truth:
    """Six objects of three classes, one in ten of which does not count."""
    corners = rng.uniform(0, 50, (6, 2))
    boxes = np.concatenate([corners, corners + 12], axis=1).astype(np.float32)
    return Truth(boxes, rng.integers(0, 3, 6), rng.random(6) < 0.1)


def matched(seed: int, noise: float, truths):
    """Find all that is there, so many pixels off, with scores of which many are equal."""
    rng = np.random.default_rng(seed)
    found = []
    for one in truths:
        boxes = (one.boxes + rng.normal(0, noise, one.boxes.shape)).astype(np.float32)
        scores = rng.choice(np.linspace(0.1, 1, 7), len(one)).astype(np.float32)
        found.append(Found(boxes, scores, one.labels))
    return match(found, truths, classes=3, ious=[0.5], most=100)


@pytest.fixture
def truths():
    rng = np.random.default_rng(5)
    return [truth(rng) for _ in range(25)]


def test_each_of_two_detectors_is_worth_what_it_is_worth_alone(truths) -> None:
    first, second = matched(1, 1.0, truths), matched(2, 3.0, truths)
    value, ones, none = both_map(first, second), np.ones((1, 25), np.int64), np.zeros((1, 25), np.int64)

    ours = value(np.concatenate([ones, none], axis=1))
    theirs = value(np.concatenate([none, ones], axis=1))

    assert ours[0] == pytest.approx(mean_average_precision(first).mean, abs=1e-12)
    assert theirs[0] == pytest.approx(mean_average_precision(second).mean, abs=1e-12)
    assert ours[0] > theirs[0]


def test_each_of_two_segmenters_is_worth_what_it_is_worth_alone() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 50, (2, 8, 4, 4))
    value = both_miou(first, second)
    ones, none = np.ones((1, 8), np.int64), np.zeros((1, 8), np.int64)

    assert value(np.concatenate([ones, none], axis=1))[0] == pytest.approx(mean_iou(first).mean.value)
    assert value(np.concatenate([none, ones], axis=1))[0] == pytest.approx(mean_iou(second).mean.value)


def test_a_better_detector_is_shown_to_be_better_and_one_does_not_differ_from_itself(truths) -> None:
    good, bad = matched(1, 0.5, truths), matched(2, 4.0, truths)

    pairs = paired_scenes([good, bad, good], both_map, images=25)

    assert [(pair.a, pair.b, pair.verdict) for pair in pairs] == [
        (0, 1, "a_better"),
        (0, 2, "no_difference_shown"),
        (1, 2, "b_better"),
    ]
    better, same, worse = pairs
    assert better.difference.low > 0
    assert better.difference.value == pytest.approx(-worse.difference.value)
    assert better.p_value == worse.p_value, "whoever is named first"
    assert better.p_adjusted >= better.p_value
    assert better.confidence == pytest.approx(1 - 0.05 / 3)
    assert (same.difference.value, same.difference.low, same.difference.high, same.p_value) == (0, 0, 0, 1)


def test_for_a_mean_it_says_what_the_test_for_means_says() -> None:
    rng = np.random.default_rng(3)
    first = rng.random(40)
    second = first - rng.normal(0.05, 0.15, 40)

    found = paired_resampling(mean_of(first, second), 40)

    assert found.difference.value == pytest.approx((first - second).mean())
    assert found.p_value == pytest.approx(sign_flips(first - second), abs=0.02)
    spread = (first - second).std() / np.sqrt(40)
    assert found.difference.high - found.difference.low == pytest.approx(2 * 1.96 * spread, rel=0.2)


def test_where_nobody_is_better_that_is_rarely_denied() -> None:
    rng = np.random.default_rng(11)
    denied = [
        paired_resampling(mean_of(*rng.random((2, 12))), 12, seed=run).p_value < 0.05 for run in range(120)
    ]

    assert np.mean(denied) < 0.12


def test_pictures_that_belong_together_say_no_more_than_one() -> None:
    rng = np.random.default_rng(7)
    first, second = rng.random((2, 12))
    once = paired_resampling(mean_of(first, second), 12)
    ten = [np.repeat(values, 10) for values in (first, second)]

    together = paired_resampling(mean_of(*ten), 120, units=np.repeat(np.arange(12), 10))

    assert together.p_value == once.p_value
    assert together.difference.n == 120
    assert together.difference.low == pytest.approx(once.difference.low)
    assert together.difference.method == "bootstrap-bca-clustered"


def test_where_nothing_is_to_be_found_there_is_no_difference() -> None:
    with pytest.raises(UsageError, match="something to be found"):
        paired_resampling(lambda times: np.full(len(times), np.nan), 5)
