"""How differently two graphs, or two networks, decide on the same pictures."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.session import Float32, UInt8
from foveal.core.batches import batches
from foveal.core.errors import UsageError
from foveal.core.machine import usable_cpus
from foveal.core.types import Measured
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.optimize.dense_divergence import dense_divergence, is_dense

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


def away_from(model: bytes, pictures: UInt8) -> Callable[[bytes], float]:
    """Return what tells how far the answers of another graph are from those of this one, in nats.

    It is the mean KL(p ‖ q) over the pictures or, where graphs say what is where, `dense_divergence`.

    Args:
        model: The graph to be imitated.
        pictures: As of `divergence`.

    Raises:
        UsageError: No picture.
    """
    if len(pictures) and is_dense(model):
        return dense_divergence(model, pictures)
    reference = probabilities(model, pictures)
    return lambda other: between(reference, probabilities(other, pictures)).mean_kl


def between(reference: Float32, other: Float32) -> Divergence:
    """Return the same for probabilities (M, K) of both."""
    logs = (np.log(np.maximum(array.astype(np.float64), _TINY)) for array in (reference, other))
    flipped = reference.argmax(1) != other.argmax(1)
    return Divergence(flips=clopper_pearson(int(flipped.sum()), len(flipped)), mean_kl=_mean_kl(*logs))


def mean_kl_of_logits(reference: Float32, other: Float32) -> float:
    """Return the mean KL(p ‖ q) in nats for logits (M, K) of both."""
    return _mean_kl(_log_softmax(reference), _log_softmax(other))


def _mean_kl(log_p: NDArray[np.float64], log_q: NDArray[np.float64]) -> float:
    """Return the mean KL(p ‖ q) over rows, in nats, infinite where an answer is no number.

    Rounding makes none of it negative.
    """
    found = float((np.exp(log_p) * (log_p - log_q)).sum(axis=1).mean())
    return max(0.0, found) if math.isfinite(found) else math.inf


def _log_softmax(logits: Float32) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    found: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found


def probabilities(model: bytes, pictures: UInt8) -> Float32:
    """Return what a graph answers in ONNX Runtime, float32 (M, K)."""
    if len(pictures) == 0:
        raise UsageError("decisions are compared on one picture or more; got none", code="empty")
    session = onnxruntime(model, threads=usable_cpus())
    return np.concatenate([session.run(batch)[0] for batch in batches(pictures)])
