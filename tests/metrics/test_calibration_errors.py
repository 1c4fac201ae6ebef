"""metrics.adaptive_ece, debiased_ece, classwise_ece, overconfidence: by definition, and against chance."""

import numpy as np
import pytest

from foveal.metrics.adaptive_ece import adaptive_ece, equal_mass
from foveal.metrics.classwise_ece import classwise_ece
from foveal.metrics.debiased_ece import debiased_ece, squared
from foveal.metrics.ece import ece, ece_null
from foveal.metrics.overconfidence import overconfidence, overconfidence_per_image


def two_classes(confidence):
    return np.stack([confidence, 1 - confidence], axis=1)


def simulated(n, rng, excess=0.0):
    """Return answers whose confidence is `excess` above the probability of being right."""
    confidence = 0.6 + (0.4 + min(excess, 0)) * rng.beta(1.5, 0.7, size=n)
    return two_classes(confidence), (rng.random(n) >= confidence - excess).astype(int)


@pytest.mark.parametrize("seed", range(3))
def test_equal_mass_by_definition(draw, seed):
    probabilities, labels = draw(600, 3, seed=seed)
    confidence, right = probabilities.max(axis=1).astype(float), probabilities.argmax(axis=1) == labels

    parts = np.array_split(np.argsort(confidence), 15)

    expected = sum(abs(right[p].mean() - confidence[p].mean()) * len(p) / 600 for p in parts)
    assert adaptive_ece(probabilities, labels) == pytest.approx(expected, abs=1e-9)


def test_equal_confidences_share_a_bin_and_none_is_beyond_the_last():
    which = equal_mass(np.array([0.5] * 50 + [0.9] * 50), 15)

    assert len(set(which[:50])) == len(set(which[50:])) == 1
    assert equal_mass(np.linspace(0, 1, 7), 15).max() <= 14
    assert np.bincount(equal_mass(np.random.default_rng(0).random(1500), 15)).tolist() == [100] * 15


@pytest.mark.parametrize("excess", [0.0, 0.1])
def test_the_squared_error_without_bias_is_right_on_average(excess):
    rng = np.random.default_rng(0)

    found = [squared(*simulated(60, rng, excess)) for _ in range(3000)]  # four in a bin

    noise = np.std(found) / len(found) ** 0.5
    assert abs(np.mean(found) - excess**2) < 4 * noise
    biased = np.mean([adaptive_ece(*simulated(60, rng)) ** 2 for _ in range(300)])
    assert biased > 10 * noise, "the control: the usual estimate is far above 0 for a perfect model"


def test_the_debiased_error_is_the_root_and_never_negative():
    rng = np.random.default_rng(0)
    for _ in range(50):
        answers = simulated(100, rng)
        assert debiased_ece(*answers) == pytest.approx(max(squared(*answers), 0) ** 0.5)
    assert debiased_ece(*simulated(5000, rng, 0.1)) == pytest.approx(0.1, abs=0.02)
    assert debiased_ece(two_classes(np.array([0.7, 0.8])), np.array([0, 1])) == 0


def test_classwise_by_definition(draw):
    probabilities, labels = draw(400, 3)
    total = 0.0
    for k in range(3):
        p = probabilities[:, k].astype(float)
        for b in range(15):
            inside = (p > b / 15) & (p <= (b + 1) / 15)
            if inside.any():
                total += inside.mean() * abs((labels[inside] == k).mean() - p[inside].mean()) / 3

    assert classwise_ece(probabilities, labels) == pytest.approx(total, abs=1e-6)


def test_classwise_sees_what_the_largest_probability_does_not_show():
    rng = np.random.default_rng(0)
    n = 20_000
    labels = rng.choice(3, size=n, p=[0.6, 0.4, 0.0])
    probabilities = np.tile([0.6, 0.1, 0.3], (n, 1))

    assert ece(probabilities, labels) < 0.01
    assert classwise_ece(probabilities, labels) == pytest.approx(0.2, abs=0.02)


def test_overconfidence_has_the_sign_of_its_cause():
    rng = np.random.default_rng(0)
    sure, modest = simulated(20_000, rng, 0.08), simulated(20_000, rng, -0.08)

    assert overconfidence(*sure) == pytest.approx(0.08, abs=0.02)
    assert overconfidence(*modest) == pytest.approx(-0.08, abs=0.02)
    assert overconfidence_per_image(*sure).mean() == overconfidence(*sure)


def test_a_perfect_model_passes_the_test_against_chance_as_often_as_it_says():
    rng, below = np.random.default_rng(3), []
    for repetition in range(400):
        probabilities, labels = simulated(500, rng)
        below.append(ece(probabilities, labels) <= ece_null(probabilities, draws=200, seed=repetition))
    off = [ece(p, y) <= ece_null(p, draws=200) for p, y in (simulated(2000, rng, 0.08) for _ in range(50))]

    assert np.mean(below) >= 0.95 - 3 * (0.05 * 0.95 / 400) ** 0.5
    assert np.mean(off) <= 0.05, "the control: one that is off by 0.08 does not"
