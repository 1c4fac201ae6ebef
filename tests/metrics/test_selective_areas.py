"""metrics.aurc, e_aurc, augrc: by their closed forms and by what a better order of the answers does.

Their intervals: against resampling the images and asking the three metrics themselves.
"""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from foveal.metrics.augrc import augrc
from foveal.metrics.aurc import aurc
from foveal.metrics.e_aurc import e_aurc
from foveal.metrics.risk_coverage import risk_coverage
from foveal.metrics.selective_areas import selective_areas


def two_classes(confidence):
    return np.stack([confidence, 1 - confidence], axis=1)


def ordered(wrong):
    """Return answers with falling confidence that are wrong where `wrong` says so."""
    return two_classes(np.linspace(0.99, 0.51, len(wrong))), np.array(wrong, dtype=int)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("levels", [None, 8])
def test_augrc_is_its_closed_form(draw, seed, levels):
    probabilities, labels = draw(300, 4, seed=seed)
    if levels:  # ties
        confidence = np.round(probabilities.max(axis=1) * levels) / levels
        probabilities = two_classes(np.clip(confidence, 0.51, 1))
        labels = np.random.default_rng(seed).integers(2, size=300)
    right = probabilities.argmax(axis=1) == labels
    share = right.mean()

    ranks = roc_auc_score(right, probabilities.max(axis=1))

    expected = (1 - ranks) * share * (1 - share) + (1 - share) ** 2 / 2
    assert augrc(probabilities, labels) == pytest.approx(expected, abs=1e-9)


def test_aurc_is_that_of_the_curve(draw):
    assert aurc(*draw(200, 3)) == risk_coverage(*draw(200, 3)).aurc


def test_errors_last_cost_nothing_in_excess_and_earlier_ones_do():
    best, worst = [0] * 80 + [1] * 20, [1] * 20 + [0] * 80

    assert e_aurc(*ordered(best)) == pytest.approx(0, abs=1e-12)
    assert aurc(*ordered(best)) > 0
    assert e_aurc(*ordered(worst)) > 0.3
    rng = np.random.default_rng(0)
    steps = [e_aurc(*ordered(rng.permutation(best))) for _ in range(50)]
    assert min(steps) > 0
    assert max(steps) < e_aurc(*ordered(worst))


def test_the_least_area_approaches_that_of_the_paper():
    n, wrong = 20_000, 4000
    risk = wrong / n

    best = ordered([0] * (n - wrong) + [1] * wrong)

    assert aurc(*best) - e_aurc(*best) == pytest.approx(risk + (1 - risk) * np.log(1 - risk), abs=1e-4)


def test_without_an_error_all_are_zero_and_with_errors_only_they_are_largest():
    assert [f(*ordered([0] * 9)) for f in (aurc, e_aurc, augrc)] == [0, 0, 0]
    assert aurc(*ordered([1] * 9)) == pytest.approx(1)
    assert augrc(*ordered([1] * 9)) == pytest.approx(0.5)
    assert e_aurc(*ordered([1] * 9)) == pytest.approx(0, abs=1e-12)


AREAS = {"aurc": aurc, "e_aurc": e_aurc, "augrc": augrc}


@pytest.mark.parametrize("levels", [None, 8])
def test_intervals_are_those_of_resampled_images(draw, levels):
    probabilities, labels = draw(150, 3, seed=2)
    if levels:  # ties
        probabilities = two_classes(np.clip(np.round(probabilities.max(axis=1) * levels) / levels, 0.51, 1))
        labels = np.random.default_rng(2).integers(2, size=150)
    found = selective_areas(probabilities, labels, draws=4000)
    rows = np.random.default_rng(3).integers(150, size=(600, 150))

    for name, area in AREAS.items():
        one = getattr(found, name)
        spread = [area(probabilities[some], labels[some]) for some in rows]
        assert one.value == pytest.approx(area(probabilities, labels), abs=1e-12)
        assert one.low <= one.value <= one.high
        assert one.high - one.low == pytest.approx(np.subtract(*np.quantile(spread, [0.975, 0.025])), rel=0.2)


def test_intervals_hold_the_true_area_about_as_often_as_promised(draw):
    truth = {name: area(*draw(50_000, 3, seed=99)) for name, area in AREAS.items()}
    found = [selective_areas(*draw(300, 3, seed=seed), draws=200, seed=seed) for seed in range(100)]

    for name in AREAS:
        held = [getattr(one, name).low <= truth[name] <= getattr(one, name).high for one in found]
        assert 0.87 <= np.mean(held) <= 0.99, name


def test_an_area_of_answers_without_an_error_is_0_for_certain():
    found = selective_areas(*ordered([0] * 50))

    assert {(one.low, one.high) for one in (found.aurc, found.e_aurc, found.augrc)} == {(0.0, 0.0)}
