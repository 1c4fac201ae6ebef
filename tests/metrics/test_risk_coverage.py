"""metrics.risk_coverage and coverage_at_risk: the curve by brute force, ties, thresholds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.metrics.coverage_at_risk import coverage_at_risk
from foveal.metrics.risk_coverage import risk_coverage


def two_classes(confidence):
    return np.stack([confidence, 1 - confidence], axis=1)


@given(
    steps=st.lists(st.integers(55, 100), min_size=1, max_size=30),
    seed=st.integers(0, 1000),
)
def test_every_point_is_what_a_threshold_gives(steps, seed):
    probabilities = two_classes(np.array(steps) / 100)
    labels = np.random.default_rng(seed).integers(2, size=len(steps))

    curve = risk_coverage(probabilities, labels)

    thresholds = sorted(set(probabilities[:, 0]), reverse=True)
    assert len(curve.coverage) == len(thresholds)
    for coverage, risk, threshold in zip(curve.coverage, curve.risk, thresholds, strict=True):
        accepted = probabilities[:, 0] >= threshold
        assert coverage == pytest.approx(accepted.mean())
        assert risk == pytest.approx(labels[accepted].mean())


def test_aurc_is_the_mean_risk_over_all_cuts(draw):
    probabilities, labels = draw(100, 3)
    wrong = (probabilities.argmax(axis=1) != labels)[np.argsort(-probabilities.max(axis=1))]

    expected = np.mean([wrong[: cut + 1].mean() for cut in range(100)])

    assert risk_coverage(probabilities, labels).aurc == pytest.approx(expected)


def test_aurc_of_ties_is_the_mean_over_their_orders():
    confidence = np.array([0.9, 0.9, 0.9, 0.7])
    labels = np.array([1, 0, 0, 1])  # one of the three tied answers is wrong, and the last one
    rng, orders = np.random.default_rng(0), []
    for _ in range(4000):
        wrong = np.append(rng.permutation(labels[:3]), labels[3])
        orders.append(np.mean([wrong[: cut + 1].mean() for cut in range(4)]))

    assert risk_coverage(two_classes(confidence), labels).aurc == pytest.approx(np.mean(orders), abs=0.01)


def test_points_are_few_and_include_both_ends(draw):
    probabilities, labels = draw(1000, 3)
    curve = risk_coverage(probabilities, labels)

    points = curve.points(100)

    assert len(points) == 100
    assert points[0] == [curve.coverage[0], curve.risk[0]]
    assert points[-1] == [1.0, curve.risk[-1]]
    assert len(curve.points(2000)) == len(curve.coverage)


def test_coverage_at_risk_counts_answers_at_or_above_the_threshold():
    found = coverage_at_risk(
        two_classes(np.array([0.9, 0.8, 0.75, 0.6])), np.array([0, 1, 0, 1]), threshold=0.75
    )

    assert found.coverage.value == 0.75
    assert (found.risk.value, found.risk.n) == (pytest.approx(1 / 3), 3)


def test_no_answer_has_no_risk():
    found = coverage_at_risk(two_classes(np.array([0.9])), np.array([0]), threshold=0.95)

    assert found.coverage.value == 0
    assert found.risk is None


def test_a_threshold_taken_from_float32_accepts_its_own_image():
    confidence = np.array([0.7, 0.9], dtype=np.float32)

    found = coverage_at_risk(two_classes(confidence), np.array([0, 0]), threshold=float(confidence[0]))

    assert found.coverage.value == 1
