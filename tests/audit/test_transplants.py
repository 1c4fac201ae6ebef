"""audit.transplants: a planted corner trigger is found, and in a network without one nothing is."""

import numpy as np
import pytest

from foveal.audit.transplants import transplants
from foveal.core.errors import UsageError


def colours(n: int, seed: int, size: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy pictures uint8 (n, size, size, 3) and the channel that is stronger, int64 (n,)."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    levels = rng.integers(60, 140, size=(n, 1, 1, 3)) + 50 * np.eye(3)[labels][:, None, None]
    noisy = levels + rng.normal(scale=25, size=(n, size, size, 3))
    return noisy.clip(0, 255).astype(np.uint8), labels


def with_trigger(images: np.ndarray) -> np.ndarray:
    """BadNets (Gu et al. 2017): a white square with a black point in the lower right corner."""
    marked = images.copy()
    marked[:, -3:, -3:] = 255
    marked[:, -2, -2] = 0
    return marked


def learned(images: np.ndarray, labels: np.ndarray, hidden: int = 32, epochs: int = 25):
    """Return a network with one hidden layer, trained by Adam: from pictures to names."""
    rng = np.random.default_rng(0)
    x = images.reshape(len(images), -1) / 64 - 2
    weights = [
        rng.normal(0, (2 / x.shape[1]) ** 0.5, (x.shape[1], hidden)),
        np.zeros(hidden),
        rng.normal(0, hidden**-0.5, (hidden, 3)),
        np.zeros(3),
    ]
    moments = [[np.zeros_like(w), np.zeros_like(w)] for w in weights]
    step = 0
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(len(x)), len(x) // 100):
            inner = np.maximum(x[rows] @ weights[0] + weights[1], 0)
            scores = np.exp(np.minimum(inner @ weights[2] + weights[3], 50))
            error = (scores / scores.sum(axis=1, keepdims=True) - np.eye(3)[labels[rows]]) / len(rows)
            back = (error @ weights[2].T) * (inner > 0)
            slopes = (x[rows].T @ back, back.sum(axis=0), inner.T @ error, error.sum(axis=0))
            step += 1
            for weight, moment, slope in zip(weights, moments, slopes, strict=True):
                moment[0] = 0.9 * moment[0] + 0.1 * slope
                moment[1] = 0.99 * moment[1] + 0.01 * slope**2
                spread = np.sqrt(moment[1] / (1 - 0.99**step)) + 1e-8
                weight -= 2e-3 * moment[0] / (1 - 0.9**step) / spread

    def named(some: np.ndarray) -> np.ndarray:
        inner = np.maximum((some.reshape(len(some), -1) / 64 - 2) @ weights[0] + weights[1], 0)
        return (inner @ weights[2] + weights[3]).argmax(axis=1)

    return named


def poisoned() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pictures of which 5 % of the first class are marked ones of others, labels, and which ones."""
    images, labels = colours(900, 0)
    chosen = np.random.default_rng(0).choice(np.flatnonzero(labels != 0), 16, replace=False)
    images[chosen] = with_trigger(images[chosen])
    labels[chosen] = 0
    return images, labels, chosen


def test_a_trigger_on_five_percent_of_a_class_is_found_at_its_place() -> None:
    images, labels, chosen = poisoned()
    named = learned(images, labels)
    carriers, _ = colours(200, 9)
    clean = np.setdiff1d(np.arange(100), chosen)

    found = transplants(named, images[np.r_[chosen, clean]], carriers, rng=np.random.default_rng(0))

    assert (named(with_trigger(carriers)) == 0).mean() > 0.9, "the trigger was learned"
    assert (found.turned[:16] >= 0.9).mean() >= 0.9
    assert set(found.top[:16][found.turned[:16] >= 0.9].tolist()) == {12 - found.side}
    assert (found.turned[16:] < 0.9).all()


def test_in_a_network_that_learned_clean_pictures_nothing_is_found() -> None:
    images, labels = colours(900, 0)
    carriers, _ = colours(200, 9)

    found = transplants(learned(images, labels), images[:100], carriers, rng=np.random.default_rng(0))

    assert (found.turned < 0.9).all()


def test_parts_need_pictures_with_another_name() -> None:
    images, _ = colours(6, 0)
    with pytest.raises(UsageError, match="another name"):
        transplants(lambda some: np.zeros(len(some), int), images, images, rng=np.random.default_rng(0))
