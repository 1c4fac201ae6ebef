"""The projection: differences within a person become a sphere, and between people stay."""

import numpy as np
import pytest

from foveal.bundle.embedder import unit
from foveal.core.errors import UsageError
from foveal.search.whitening import whitening


def people(rng: np.random.Generator, count: int, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Who it is lies in the second half of the numbers, and light, ten times as strong, in the first."""
    who = np.concatenate([np.zeros((count, 8)), rng.standard_normal((count, 8))], axis=1)
    labels = np.repeat(np.arange(count), each)
    light = np.concatenate(
        [10 * rng.standard_normal((len(labels), 8)), 0.3 * rng.standard_normal((len(labels), 8))], 1
    )
    return (who[labels] + light).astype(np.float32), labels


def test_what_differs_within_a_person_counts_alike_in_all_directions() -> None:
    features, labels = people(np.random.default_rng(0), 40, 30)

    projected = whitening(features, labels, shrinkage=1e-6)(features).astype(np.float64)

    within = projected - np.stack([projected[labels == one].mean(axis=0) for one in range(40)])[labels]
    np.testing.assert_allclose(within.T @ within / len(within), np.eye(16), atol=0.01)


def test_people_that_were_not_seen_are_told_apart_better() -> None:
    rng = np.random.default_rng(1)
    features, labels = people(rng, 60, 10)
    fit = labels < 30

    def margin(vectors: np.ndarray, who: np.ndarray) -> float:
        scores = unit(vectors) @ unit(vectors).T
        same = who[:, None] == who
        return float(scores[same].mean() - scores[~same].mean())

    projected = whitening(features[fit], labels[fit], shrinkage=0.001)(features[~fit])

    assert margin(projected, labels[~fit]) > 3 * margin(features[~fit], labels[~fit])


def test_the_length_of_features_says_nothing() -> None:
    features, labels = people(np.random.default_rng(2), 5, 4)

    once, longer = whitening(features, labels), whitening(features * 7, labels)

    np.testing.assert_allclose(once(features), longer(features * 3), rtol=1e-3, atol=1e-3)


def test_there_must_be_something_to_learn_from() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(UsageError, match="nobody has two pictures"):
        whitening(rng.standard_normal((4, 3)).astype(np.float32), np.arange(4))
