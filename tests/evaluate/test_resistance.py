"""What is kept under corruption and attack, and whether the difference of two recognizers is proven."""

from typing import NamedTuple

import numpy as np
import pytest

from foveal.core import catalog
from foveal.evaluate.paired_resistance import paired_resistance
from foveal.evaluate.resistance import BALLS, LEVELS, SEVERITY, Resistance, resistance, types
from foveal.metrics.mcnemar import mcnemar
from foveal.perturb import corruptions

RNG = np.random.default_rng
NAMES = [str(ball) for ball in BALLS]


class Out(NamedTuple):
    logits: np.ndarray


class Bright:
    """Names pictures whose corner is brighter than a limit; `slope` changes no answer."""

    def __init__(self, slope=1.0):
        self.slope = slope

    def run(self, images):
        height = self.slope * (images[:, :4, :4].mean(axis=(1, 2, 3)) - 127.5)
        return Out(np.stack([-height, height], axis=1).astype(np.float32))


@pytest.fixture(scope="module")
def pictures():
    """Return grey pictures 0.5, 2.5 and 40.5 levels from the border, of 8 pixels."""
    away = np.repeat([0.5, 2.5, 40.5], 8) * np.tile([-1, 1], 12)
    images = np.broadcast_to((127.5 + away)[:, None, None, None], (24, 8, 8, 3)).astype(np.uint8)
    return images, (away > 0).astype(np.int64)


def test_survives_exactly_where_the_border_is_further_than_the_ball(pictures) -> None:
    images, labels = pictures

    found = resistance(Bright(), images, labels, queries=300, seed=0)

    assert found.clean.all()
    assert found.attacked["linf 2/255"].tolist() == [False] * 8 + [True] * 16
    assert found.attacked["linf 8/255"].tolist() == [False] * 16 + [True] * 8
    assert found.robust()["linf 8/255"].value == pytest.approx(1 / 3)


def test_every_corruption_is_asked_once_and_all_are_equal_for_all(pictures) -> None:
    images, labels = pictures
    one, other = (resistance(Bright(slope), images, labels, queries=1, seed=3) for slope in (1, 100))

    assert tuple(one.disturbed) == types()
    assert set(types()) <= set(corruptions.IMAGENET_C)
    assert set(types()) == set(corruptions.IMAGENET_C) & set(catalog.names(corruptions))
    for kind in types():
        assert np.array_equal(one.disturbed[kind], other.disturbed[kind])
    assert one.mean_corruption(seed=0).value == pytest.approx(
        np.mean([right.mean() for right in one.disturbed.values()])
    )
    assert SEVERITY == 3


def made(shares, attacked, clean=None):
    count = len(attacked)
    disturbed = {f"kind {k}": RNG(k).random(count) < shares for k in range(15)}
    clean = np.ones(count, dtype=bool) if clean is None else clean
    return Resistance(clean, disturbed, {NAMES[0]: attacked, NAMES[1]: np.zeros(count, dtype=bool)})


def test_retention_is_the_mean_by_the_clean_accuracy_and_none_without_any() -> None:
    clean = np.arange(100) < 80
    half = made(0.0, clean, clean)
    half = Resistance(clean, {"a": clean, "b": np.zeros(100, dtype=bool)}, half.attacked)

    found = half.retention(seed=0)

    assert found is not None
    assert found.value == pytest.approx(0.5)
    assert found.low == pytest.approx(0.5)
    nothing = np.zeros(100, dtype=bool)
    assert Resistance(nothing, {"a": nothing}, {NAMES[0]: nothing}).retention(seed=0) is None


def test_proves_what_is_there_and_names_the_better_one() -> None:
    strong = made(0.8, np.arange(200) < 120)
    weak = made(0.6, np.arange(200) < 80)

    pairs = {(pair.a, pair.b, pair.stress): pair for pair in paired_resistance([weak, strong], seed=0)}

    assert {key[2] for key in pairs} == {"mean_corruption", *NAMES}
    assert pairs[0, 1, "mean_corruption"].verdict == "b_better"
    assert pairs[0, 1, NAMES[0]].verdict == "b_better"
    assert (
        pairs[0, 1, NAMES[0]].p_value == mcnemar(weak.attacked[NAMES[0]], strong.attacked[NAMES[0]]).p_value
    )
    assert pairs[0, 1, NAMES[1]].verdict == "no_difference_shown"
    assert all(pair.p_adjusted >= pair.p_value for pair in pairs.values())
    assert all(pair.confidence == pytest.approx(1 - 0.05 / 3) for pair in pairs.values())
    low = pairs[0, 1, "mean_corruption"].difference
    assert low.high < 0


def test_the_more_is_compared_the_more_must_be_shown() -> None:
    """Six of six pictures are p = 0.03: enough for one comparison, not for three."""
    first, second = np.arange(40) < 10, (np.arange(40) >= 6) & (np.arange(40) < 10)
    a, b = (made(0.5, one) for one in (first, second))

    pair = next(p for p in paired_resistance([a, b], seed=0) if p.stress == NAMES[0])

    assert pair.p_value == pytest.approx(2 * 0.5**6)
    assert pair.verdict == "no_difference_shown"


@pytest.mark.parametrize("level", LEVELS)
def test_large_networks_are_asked_about_fewer_pictures(level) -> None:
    effort = LEVELS[level]

    counts = [effort.pictures(macs) for macs in (0, 10**6, 10**8, 10**9, 10**12)]

    assert counts == sorted(counts, reverse=True)
    assert (counts[0], counts[-1]) == (effort.images, effort.fewest)


def test_balls_rise_so_that_what_falls_in_one_falls_in_all_after_it() -> None:
    assert {ball.norm for ball in BALLS} == {"linf"}
    assert [ball.radius for ball in BALLS] == sorted(ball.radius for ball in BALLS)
