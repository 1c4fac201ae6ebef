"""metrics.ece and reliability: their definition bin by bin, and the level that chance reaches."""

import numpy as np
import pytest

from foveal.core.errors import UsageError
from foveal.metrics import ece as module
from foveal.metrics.bootstrap import bootstrap
from foveal.metrics.ece import ece, ece_null, gaps
from foveal.metrics.reliability import reliability


def by_definition(probabilities, labels, bins=15):
    confidence, right = probabilities.max(axis=1).astype(float), probabilities.argmax(axis=1) == labels
    total = 0.0
    for b in range(bins):
        inside = (confidence > b / bins) & (confidence <= (b + 1) / bins)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return total


def two_classes(confidence):
    return np.stack([confidence, 1 - confidence], axis=1)


@pytest.mark.parametrize("seed", range(5))
def test_equals_its_definition(draw, seed):
    probabilities, labels = draw(400, 3, seed=seed, sharpness=1 + seed)

    assert ece(probabilities, labels) == pytest.approx(by_definition(probabilities, labels), abs=1e-12)
    assert ece(probabilities, labels, bins=7) == pytest.approx(
        by_definition(probabilities, labels, 7), abs=1e-12
    )


def test_a_bin_holds_its_upper_end_and_not_its_lower():
    bins = reliability(two_classes(np.array([0.6, 0.6000001, 0.8, 1.0])), np.zeros(4, dtype=int), bins=5)

    assert [(round(one.low, 3), one.n) for one in bins] == [(0.4, 1), (0.6, 2), (0.8, 1)]


def test_reliability_bins_add_up_to_the_ece(draw):
    probabilities, labels = draw(500, 4)

    bins = reliability(probabilities, labels)

    assert sum(one.n for one in bins) == 500
    assert all(one.low < one.confidence <= one.high for one in bins)
    total = sum(one.n / 500 * abs(one.accuracy.value - one.confidence) for one in bins)
    assert total == pytest.approx(ece(probabilities, labels))


def test_gaps_are_the_bootstraps_form_of_it(draw):
    probabilities, labels = draw(500, 4)

    found = bootstrap(gaps(probabilities, labels), lambda means: np.abs(means).sum(axis=1))

    assert found.value == pytest.approx(ece(probabilities, labels))
    assert found.low < found.high


def test_a_perfectly_calibrated_model_stays_below_the_null_level_about_as_often_as_promised():
    rng, below = np.random.default_rng(0), []
    for repetition in range(200):
        probabilities = two_classes(1 - 0.5 * rng.beta(0.5, 2, size=600))
        labels = (rng.random(600) >= probabilities[:, 0]).astype(int)
        below.append(ece(probabilities, labels) <= ece_null(probabilities, draws=300, seed=repetition))

    assert 0.90 <= np.mean(below) <= 0.99


def test_an_overconfident_model_is_above_the_null_level(draw):
    probabilities, labels = draw(2000, 4, sharpness=6)

    assert ece(probabilities, labels) > 2 * ece_null(probabilities)


def test_the_null_level_falls_with_the_number_of_images():
    rng = np.random.default_rng(0)
    levels = [ece_null(two_classes(1 - 0.5 * rng.beta(0.5, 2, size=n))) for n in (50, 500, 5000)]

    assert levels[0] > 2 * levels[1] > 4 * levels[2] > 0


@pytest.mark.parametrize(("n", "level"), [(200, 0.04), (10_000, 0.006)])
def test_the_null_levels_that_the_documentation_quotes(n, level):
    confidence = 1 - 0.5 * np.random.default_rng(0).beta(0.4, 3.6, size=n)  # right in 95 % of cases

    assert ece_null(two_classes(confidence)) == pytest.approx(level, rel=0.2)


def test_the_null_level_is_zero_for_certainty_and_the_same_in_chunks(draw, monkeypatch):
    probabilities, _ = draw(100, 4)
    whole = ece_null(probabilities)

    monkeypatch.setattr(module, "_CELLS", 700)

    assert ece_null(probabilities) == whole
    assert ece_null(np.eye(4)[[0, 1, 2]]) == 0


def test_the_null_level_of_no_probabilities_is_refused():
    with pytest.raises(UsageError, match="must sum to 1"):
        ece_null(np.full((3, 2), 0.7))
