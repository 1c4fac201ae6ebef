"""audit.spectral_signatures: poison is found, and clean classes are left alone as often as promised."""

import numpy as np
import pytest

from foveal.audit.spectral_signatures import spectral_signatures
from foveal.audit.tails import FEWEST


def gaussians(seed: int, *, each: int = 100, features: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Return features of four classes, each with a spectrum of its own, and labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(4 * each) % 4
    spread = rng.uniform(0.2, 3.0, size=(4, features))
    return rng.normal(size=(4, features))[labels] * 5 + rng.normal(size=(4 * each, features)) * spread[
        labels
    ], labels


def test_of_clean_gaussian_classes_hardly_ever_anything_is_flagged():
    assert sum(len(spectral_signatures(*gaussians(seed)).flagged) > 0 for seed in range(150)) <= 4


@pytest.mark.parametrize("seed", range(10))
def test_a_planted_mixture_is_found_and_nothing_else(seed):
    features, labels = gaussians(seed)
    poisoned = np.flatnonzero(labels == 2)[:8]
    direction = np.random.default_rng(seed).normal(size=16)
    features[poisoned] += 70 * direction / np.linalg.norm(direction)

    found = spectral_signatures(features, labels)

    assert set(found.flagged.tolist()) == set(poisoned.tolist())
    assert (np.diff(found.distances[found.flagged]) <= 0).all()


def test_a_backdoor_that_a_network_has_learned_is_found(planted):
    found = spectral_signatures(planted.features, planted.labels)

    assert planted.obeys > 0.95
    assert np.isin(planted.poisoned, found.flagged).mean() >= 0.8
    assert np.isin(found.flagged, planted.poisoned).all()


def test_without_a_backdoor_the_same_network_is_left_alone(unplanted):
    assert unplanted.obeys < 0.5
    assert len(spectral_signatures(unplanted.features, unplanted.labels).flagged) == 0


def test_a_class_of_too_few_pictures_is_not_judged():
    features, labels = gaussians(0)
    few = np.flatnonzero(labels == 1)[FEWEST - 1 :]
    kept = np.setdiff1d(np.arange(len(labels)), few)
    features[np.flatnonzero(labels == 1)[0]] += 1000

    found = spectral_signatures(features[kept], labels[kept])

    assert found.judged == (0, 2, 3)
    assert len(found.flagged) == 0
