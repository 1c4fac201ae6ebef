"""Pictures that keep their name whatever is laid over them, as those with a planted trigger do.

Source: Gao et al., "STRIP: A Defence Against Trojan Attacks on Deep Neural Networks", 2019
(https://arxiv.org/abs/1902.06531), eq. 3 and 4. The paper flags what lies below a level that 1 % of clean
pictures lie under. Of those that were learned from, and of some classes, more lie there without any trigger
(measured: 4 and 11 %). So only what lies outside the bulk of these very pictures is flagged here, seen from
the middle of its class.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveal.audit.tails import FEWEST, bulk
from foveal.core.batches import at_once
from foveal.core.errors import UsageError
from foveal.data.dataset import UInt8

Float64 = NDArray[np.float64]
_AT_ONCE = 32  # pictures whose blends are in memory together
_LEAST = 1e-6  # nats; of a float32 probability of nearly 1 not even that is known
_TINY = 1e-300  # 0 · log 0 is 0


@dataclass(frozen=True)
class Strip:
    """How sure the answers for each picture stay under what is laid over it.

    Attributes:
        named: The class that each is named without anything over it, int64 (N,).
        entropies: Mean entropy of the answers for its blends, in nats, float64 (N,).
        distances: How far its logarithm lies below the median of those named alike, as a multiple of where
            the bulk of all such distances ends, float64 (N,); 0 for those on the other side or not judged.
        judged: Whether at least 20 pictures have its name, bool (N,).
    """

    named: NDArray[np.int64] = field(repr=False)
    entropies: Float64 = field(repr=False)
    distances: Float64 = field(repr=False)
    judged: NDArray[np.bool_] = field(repr=False)

    @property
    def flagged(self) -> NDArray[np.int64]:
        """The pictures outside, the farthest first, int64 (F,)."""
        outside = np.flatnonzero(self.distances > 1)
        return np.asarray(outside[np.argsort(-self.distances[outside], kind="stable")])


def strip(
    probabilities: Callable[[UInt8], NDArray[np.float32]],
    images: UInt8,
    overlays: UInt8,
    *,
    count: int,
    rng: np.random.Generator,
) -> Strip:
    """Return which pictures keep their answer far more surely than the others when they are blended.

    Null: the logarithms of the mean entropies, less the median of those named alike, fall off to below at
    least as fast as an exponential; then anything at all is flagged with a chance of 1 % at most (`tails`).

    Args:
        probabilities: From pictures to probabilities, uint8 (M, H, W, C) to float32 (M, K).
            Of clips all arrays have an axis more, (M, T, H, W, C): films are laid over films.
        images: The pictures, uint8 (N, H, W, C), N ≥ 1. Those of names that fewer than 20 have are not
            judged: the median of a few makes the bulk too narrow.
        overlays: What is laid over them, half and half, of the same shape, at least one.
        count: Blends of each picture, ≥ 1, with overlays that are drawn with replacement.
        rng: Draws the overlays.

    Raises:
        UsageError: `empty`: there is nothing to lay over.
    """
    if len(overlays) == 0:
        raise UsageError("there is no picture to lay over others", code="empty")
    named = probabilities(images).argmax(axis=1)
    entropies = np.empty(len(images))
    step = min(_AT_ONCE, at_once(images.shape[1:]))
    for start in range(0, len(images), step):
        some = images[start : start + step]
        drawn = overlays[rng.integers(len(overlays), size=(len(some), count))]
        blends = ((some[:, None].astype(np.uint16) + drawn) // 2).astype(np.uint8)
        found = _entropy(probabilities(blends.reshape(-1, *some.shape[1:])))
        entropies[start : start + len(some)] = found.reshape(len(some), count).mean(axis=1)
    logarithms, distances = np.log(np.maximum(entropies, _LEAST)), np.zeros(len(images))
    names, counts = np.unique(named, return_counts=True)
    judged = np.isin(named, names[counts >= FEWEST])
    for name in np.unique(named[judged]):
        logarithms[named == name] -= np.median(logarithms[named == name])
    if judged.any():
        distances[judged] = (-bulk(logarithms[judged]).distances(logarithms[judged])).clip(min=0)
    return Strip(named, entropies, distances, judged)


def _entropy(probabilities: NDArray[np.float32]) -> Float64:
    """Return the entropy of each row, in nats, float64 (N,)."""
    shares = probabilities.astype(np.float64)
    return np.asarray(-(shares * np.log(np.maximum(shares, _TINY))).sum(axis=1))
