"""The evaluation of a simulated recognizer, as `foveal.evaluate` writes it."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from foveal.core.types import Measured
from foveal.evaluate.document import Disturbed
from foveal.evaluate.measure import measure
from foveal.tasks.classify.decode import Abstain, Conformal, Decision

Document = dict[str, Any]
CLOTHES = ("bag", "boot", "coat", "dress", "pullover", "sandal", "shirt", "sneaker", "t-shirt", "trouser")
PROVEN = Decision(
    abstain=Abstain(threshold=0.85, risk=0.01, delta=0.05, n=5000),
    conformal=Conformal(alpha=0.1, quantile=0.6, n=5000),
)
UNPROVEN = Decision(
    abstain=Abstain(threshold=None, risk=0.01, delta=0.05, n=6, needed=299),
    conformal=Conformal(alpha=0.1, quantile=None, n=6),
)
BLUR = Disturbed("gaussian_blur", 3, Measured(0.4, 0.357, 0.444, 500, "clopper-pearson"))
CLEAN = Disturbed("none", 0, Measured(0.95, 0.927, 0.967, 500, "clopper-pearson"))
DARK = Disturbed("brightness", 3, Measured(0.9, 0.871, 0.924, 500, "clopper-pearson"))


def make(**changes: Any) -> Document:
    return copy.deepcopy(_made(**changes))


@cache
def _made(
    *,
    classes: tuple[str, ...] = CLOTHES,
    images: int = 5000,
    skill: float = 4.2,
    decision: Decision = PROVEN,
    robustness: tuple[Disturbed, ...] = (),
) -> Document:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, len(classes), images)
    scores = rng.normal(size=(images, len(classes)))
    scores[np.arange(images), labels] += skill * rng.uniform(0.55, 1.1, len(classes))[labels]
    scores[:, 0] += 1.5 * (labels == len(classes) - 1)  # one pair that is often confused
    probabilities = np.exp(1.6 * scores)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    sources = [f"test/{classes[label]}/{i:05d}.png" for i, label in enumerate(labels)]
    report = measure(
        probabilities.astype(np.float32), labels, classes=classes, decision=decision, sources=sources
    )
    provenance = {"foveal": "0.1.0", "cpu": "Example CPU", "threads": 2, "seconds": 2.4, "split_seed": 0}
    return replace(
        report,
        bundle="runs/train-1/fashion.foveal",
        digest="4c0f5b1d9a3e72c8b5a6d1e0f3c2b4a5968778695a4b3c2d1e0f9e8d7c6b5a49",
        robustness=robustness,
        provenance=provenance,
    ).as_json()


@pytest.fixture(scope="session")
def make_document() -> Callable[..., Document]:
    """Return a maker of `foveal.evaluate/1` documents; its arguments change what was found."""
    return make


@pytest.fixture
def document() -> Document:
    """Return an evaluation of ten classes on 5,000 images, two corruptions included."""
    return make(robustness=(CLEAN, BLUR, DARK))


@pytest.fixture
def unproven() -> Document:
    """Return an evaluation of a recognizer that had too little data for thresholds and sets."""
    return make(decision=UNPROVEN)


@pytest.fixture(scope="session")
def history() -> list[dict[str, float]]:
    """Rows of a training of 60 epochs on 50,000 images."""
    return [
        {
            "step": round(share * 5860),
            "seen": round(share * 3_000_000),
            "loss": float(2.1 * np.exp(-3 * share) + 0.3),
            "accuracy": float(0.95 - 0.6 * np.exp(-5 * share)),
            "learning_rate": float(0.02 * (1 - share)),
        }
        for share in np.linspace(0.01, 1, 60)
    ]
