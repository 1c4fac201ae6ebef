"""A simulated recognizer as a measurement sees it: answers and truth, with no file behind them."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from foveal.certify.level import level
from foveal.certify.profile import Profile
from foveal.tasks.classify.decode import Abstain, Conformal, Decision

PROVEN = Decision(
    abstain=Abstain(threshold=0.8, risk=0.05, delta=0.05, n=2000),
    conformal=Conformal(alpha=0.1, quantile=0.6, n=2000),
)


def simulated(seed: int, *, images: int = 2000, classes: int = 4, temperature: float = 1.0):
    """Return (probabilities, labels) of a model that is calibrated perfectly, then sharpened or flattened."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2.5, (images, classes))
    honest = np.exp(logits - logits.max(axis=1, keepdims=True))
    honest /= honest.sum(axis=1, keepdims=True)
    labels = (rng.random((images, 1)) > honest.cumsum(axis=1)).sum(axis=1).clip(max=classes - 1)
    told = honest ** (1 / temperature)
    return (told / told.sum(axis=1, keepdims=True)).astype(np.float32), labels.astype(np.int64)


class Answers(SimpleNamespace):
    """The face of `certify.subject.Answered`."""

    @property
    def right(self):
        return self.probabilities.argmax(axis=1) == self.labels

    def __len__(self):
        return len(self.labels)


@pytest.fixture(scope="session")
def subject() -> Callable[..., SimpleNamespace]:
    """Make what a measurement that needs no pictures looks at; keyword arguments replace entries."""

    def make(probabilities, labels, **changes) -> SimpleNamespace:
        names = tuple(f"class {k}" for k in range(probabilities.shape[1]))
        entries = {
            "test": Answers(probabilities=probabilities, labels=labels, unreadable=0),
            "predictor": SimpleNamespace(classes=names, decision=PROVEN),
            "tuning": None, "proving": None, "slices": {}, "empty_slices": (), "not_there": (),
            "seed": 0,
            "level": level("smoke"),
            "profile": Profile(name="mine"),
        }  # fmt: skip
        return SimpleNamespace(**{**entries, **changes})

    return make


@pytest.fixture(scope="session")
def simulate() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Return a maker of answers and truth."""
    return simulated
