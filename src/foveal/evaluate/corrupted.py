"""Pictures under one corruption, what is answered for them, and which answers are right.

The one way in which reports, comparisons and certificates count what a corruption leaves. A film has one
camera and one weather: what is drawn is drawn once for all of its frames. Only noise is new in each.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.session import Float32
from foveal.core import catalog
from foveal.data.clip import drawn_once
from foveal.data.dataset import UInt8
from foveal.perturb import corruptions

_NEW_IN_EACH_FRAME = ("noise",)  # groups of corruptions
_BATCH = 64  # pictures that are corrupted at once; as every one comes out alone, so it does among others


@dataclass(frozen=True)
class Corrupted:
    """N corrupted pictures with their answers.

    Attributes:
        images: uint8 (N, size, size, C); of clips (N, T, size, size, C).
        scores: What was answered, float32 (N, K); the largest names the class.
        right: Whether each is named correctly, bool (N,).
    """

    images: UInt8 = field(repr=False)
    scores: Float32 = field(repr=False)
    right: NDArray[np.bool_] = field(repr=False)


def corrupted(
    name: str,
    images: UInt8,
    labels: NDArray[np.int64],
    *,
    severity: int,
    rng: np.random.Generator,
    ask: Callable[[UInt8], Float32],
) -> Corrupted:
    """Corrupt pictures, and ask about all of them.

    Args:
        name: A file of `perturb/corruptions`.
        images: At model size, uint8 (N, size, size, C), N ≥ 1; of clips (N, T, size, size, C).
        labels: The truth, int64 (N,).
        severity: 1 to 5.
        rng: Of the corruption.
        ask: From pictures like these to probabilities or logits, float32 (N, K).

    Raises:
        UsageError: Another severity.
    """
    changed = changed_by(name, images, severity=severity, rng=rng)
    scores = ask(changed)
    return Corrupted(changed, scores, scores.argmax(axis=1) == labels)


def changed_by(name: str, images: UInt8, *, severity: int, rng: np.random.Generator) -> UInt8:
    """Return pictures under a corruption; the arguments are those of `corrupted`.

    Raises:
        UsageError: Another severity.
    """
    corrupt = catalog.find(corruptions, name)
    anew = importlib.import_module(corrupt.__module__).GROUP in _NEW_IN_EACH_FRAME

    def change(pictures: UInt8, drawn: np.random.Generator) -> UInt8:
        return np.asarray(corrupt(pictures, severity=severity, rng=drawn))

    changed = np.empty_like(images)
    for start in range(0, len(images), _BATCH):
        part = slice(start, start + _BATCH)
        changed[part] = drawn_once(change, images[part], rng, anew=anew)
    return changed
