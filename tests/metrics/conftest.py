"""Synthetic answers of a classifier."""

from collections.abc import Callable

import numpy as np
import pytest

Answers = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="session")
def draw() -> Callable[..., Answers]:
    """Return a maker of probabilities, float32 (n, classes), and labels that are right about as often."""

    def make(n: int = 200, classes: int = 4, *, seed: int = 0, sharpness: float = 3.0) -> Answers:
        rng = np.random.default_rng(seed)
        labels = rng.integers(classes, size=n)
        scores = rng.normal(size=(n, classes))
        scores[np.arange(n), labels] += 1
        powers = np.exp(sharpness * (scores - scores.max(axis=1, keepdims=True)))
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32), labels

    return make
