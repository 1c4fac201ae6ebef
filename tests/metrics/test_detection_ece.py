"""Calibration of scores: as for a classifier with two classes, and what a calibrated detector gets."""

from dataclasses import replace

import numpy as np
import pytest

from foveal.core.errors import UsageError
from foveal.metrics.detection_ece import detection_ece
from foveal.metrics.match import Matches


def draw(seed, n=4000, shift=0.0, classes=2):
    rng = np.random.default_rng(seed)
    scores = np.sort(rng.random(n))[::-1].copy()
    right = rng.random(n) < np.clip(scores - shift, 0, 1)
    images, labels = rng.integers(0, 50, n), rng.integers(0, classes, n)
    none = np.zeros((1, n), bool)
    return Matches(np.array([0.5]), scores, labels, images, right[None], none, np.ones((50, classes), int))


def test_scores_that_are_shares_are_calibrated_and_others_are_not():
    good, bad = (detection_ece(draw(0, shift=shift)).pooled for shift in (0.0, 0.15))

    assert good.ece < 0.03
    assert good.debiased < good.ece
    assert bad.debiased == pytest.approx(0.14, abs=0.02)
    assert bad.ece == pytest.approx(0.14, abs=0.02)
    assert bad.score - bad.precision == pytest.approx(bad.ece, abs=0.02), "every score promises too much"


def test_by_hand_and_class_by_class():
    scores = np.array([0.95, 0.95, 0.95, 0.41, 0.41, 0.0])
    right = np.array([[True, True, False, False, True, False]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    images, none = np.zeros(6, int), np.zeros((1, 6), bool)
    matches = Matches(np.array([0.5]), scores, labels, images, right, none, np.ones((1, 3), int))

    found = detection_ece(matches, bins=10)

    first, second, third = found.per_class
    assert (first.n, second.n, third) == (3, 2, None), "what has no score was not found"
    assert first.ece == pytest.approx(0.95 - 2 / 3)
    assert second.ece == pytest.approx(0.5 - 0.41)
    assert found.pooled.ece == pytest.approx((3 * first.ece + 2 * second.ece) / 5)
    assert first.debiased == pytest.approx(np.sqrt(max(first.ece**2 - (2 / 9) / 2, 0)))
    assert detection_ece(matches, above=0.5).per_class[1] is None


def test_what_is_ignored_is_neither_right_nor_wrong():
    matches = draw(1, n=200)
    aside = matches.images[None] == 3
    fewer = replace(matches, right=matches.right & ~aside, ignored=aside)

    assert detection_ece(fewer).pooled.n == 200 - aside.sum()


def test_logits_are_refused():
    matches = draw(0, n=5)
    logits = replace(matches, scores=matches.scores * 9)

    with pytest.raises(UsageError, match=r"scores in \[0, 1\]"):
        detection_ece(logits)
