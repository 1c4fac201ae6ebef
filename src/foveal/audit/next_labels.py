"""Which pictures to label next: those that the recognizer is unsure of, and that differ from each other.

Source: Ash et al., "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds", 2020, §3.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.random import stream

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]


class _Slopes(NamedTuple):
    """What each picture would change in the last layer, if its likeliest class were the right one.

    That is the outer product of what is wrong about its probabilities, (N, K), and of its features, (N, D):
    too many numbers to write down, but their products are products of the two.
    """

    wrong: NDArray[np.float64]
    features: NDArray[np.float64]

    def distances(self, place: int) -> NDArray[np.float64]:
        """Return the squared distance of each picture from one of them, (N,)."""
        products = (self.wrong @ self.wrong[place]) * (self.features @ self.features[place])
        lengths = self.lengths()
        found: NDArray[np.float64] = np.maximum(lengths + lengths[place] - 2 * products, 0.0)
        return found

    def lengths(self) -> NDArray[np.float64]:
        """Return the squared length of each, (N,)."""
        found: NDArray[np.float64] = (self.wrong**2).sum(axis=1) * (self.features**2).sum(axis=1)
        return found


def next_labels(probabilities: Float32, features: Float32, *, count: int, seed: int) -> Int64:
    """Return places of pictures to label next, as they were drawn, int64 (min(count, N),).

    The first is the one that would change the last layer most. Each further one is drawn with a probability
    that grows with the square of its distance from the nearest that is taken: what is sure changes little and
    lies near 0 together, what is alike lies together, so neither is drawn twice.

    Args:
        probabilities: float32 (N, K), K ≥ 2.
        features: What the last layer reads, float32 (N, D).
        count: How many, ≥ 1.
        seed: Of the draws.

    Raises:
        UsageError: The two are not of the same pictures.
    """
    if probabilities.ndim != 2 or features.ndim != 2 or len(probabilities) != len(features):
        raise UsageError(f"need (N, K) and (N, D) of the same N; got {probabilities.shape}, {features.shape}")
    wrong = probabilities.astype(np.float64)
    wrong[np.arange(len(wrong)), wrong.argmax(axis=1)] -= 1.0
    slopes = _Slopes(wrong, features.astype(np.float64))
    draws = stream(seed, "next labels")
    taken = [int(slopes.lengths().argmax())] if len(wrong) else []
    nearest = slopes.distances(taken[0]) if taken else np.empty(0)
    while len(taken) < min(count, len(wrong)):
        nearest[taken] = 0.0
        total = float(nearest.sum())
        if total > 0:
            place = int(draws.choice(len(nearest), p=nearest / total))
        else:  # the rest is like what is taken, or sure: any will do
            place = int(draws.choice(np.setdiff1d(np.arange(len(nearest)), taken)))
        taken.append(place)
        nearest = np.minimum(nearest, slopes.distances(place))
    return np.array(taken, dtype=np.int64)
