"""How differently two graphs decide on the same pictures."""

from dataclasses import dataclass

import numpy as np

from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.session import Float32, UInt8
from foveal.core.errors import UsageError
from foveal.core.machine import usable_cpus
from foveal.core.types import Measured
from foveal.metrics.clopper_pearson import clopper_pearson

_BATCH = 64
_TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Divergence:
    """What became of decisions.

    Attributes:
        flips: Share of pictures that get another label, with its exact 95 % interval.
        mean_kl: Mean of KL(p ‖ q) over the pictures in nats; 0 where nothing changed.
    """

    flips: Measured
    mean_kl: float


def divergence(model: bytes, other: bytes, pictures: UInt8) -> Divergence:
    """Return how far another graph's decisions are from the first one's.

    Args:
        model: The graph to be imitated.
        other: The one that imitates it: same input, same classes.
        pictures: uint8 (M, size, size, C), M ≥ 1, as the preprocessing leaves them; labels are not needed.

    Raises:
        UsageError: No picture.
        BundleError: A graph cannot be run on them.
    """
    return between(probabilities(model, pictures), probabilities(other, pictures))


def between(reference: Float32, other: Float32) -> Divergence:
    """Return the same for probabilities (M, K) of both."""
    p, q = (np.maximum(array.astype(np.float64), _TINY) for array in (reference, other))
    flipped = reference.argmax(1) != other.argmax(1)
    kl = (p * (np.log(p) - np.log(q))).sum(axis=1)
    return Divergence(
        flips=clopper_pearson(int(flipped.sum()), len(flipped)), mean_kl=max(0.0, float(kl.mean()))
    )


def probabilities(model: bytes, pictures: UInt8) -> Float32:
    """Return what a graph answers in ONNX Runtime, float32 (M, K)."""
    if len(pictures) == 0:
        raise UsageError("decisions are compared on one picture or more; got none", code="empty")
    session = onnxruntime(model, threads=usable_cpus())
    parts = [
        session.run(np.ascontiguousarray(pictures[start : start + _BATCH]))[0]
        for start in range(0, len(pictures), _BATCH)
    ]
    return np.concatenate(parts)
