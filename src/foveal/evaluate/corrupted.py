"""Pictures under one corruption, what is answered for them, and which answers are right.

The one way in which reports, comparisons and certificates count what a corruption leaves.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.session import Float32
from foveal.core import catalog
from foveal.data.dataset import UInt8
from foveal.perturb import corruptions

_BATCH = 64  # pictures that are corrupted at once; as every one comes out alone, so it does among others


@dataclass(frozen=True)
class Corrupted:
    """N corrupted pictures with their answers.

    Attributes:
        images: uint8 (N, size, size, C).
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
        images: At model size, uint8 (N, size, size, C), N ≥ 1.
        labels: The truth, int64 (N,).
        severity: 1 to 5.
        rng: Of the corruption.
        ask: From pictures like these to probabilities or logits, float32 (N, K).

    Raises:
        UsageError: Another severity.
    """
    corrupt = catalog.find(corruptions, name)
    frames = images.reshape(-1, *images.shape[-3:])  # of clips each is corrupted by itself
    parts = [
        corrupt(frames[start : start + _BATCH], severity=severity, rng=rng)
        for start in range(0, len(frames), _BATCH)
    ]
    changed = np.concatenate(parts).reshape(images.shape)
    scores = ask(changed)
    return Corrupted(changed, scores, scores.argmax(axis=1) == labels)
