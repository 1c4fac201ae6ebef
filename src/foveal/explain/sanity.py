"""Does a map depend on what was learned? A map that stays the same with random weights does not.

Source: Adebayo et al., "Sanity Checks for Saliency Maps", 2018, §3 (model parameter randomization).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.explain import grid
from foveal.explain.scores import Map, UInt8

LIMIT = 0.5  # mean rank correlation above which a map is said not to depend on the weights
_LEVEL = 1e-6  # of the largest value: what varies less is the same everywhere, but for rounding


@dataclass(frozen=True)
class Sanity:
    """How much the maps of one method stay as they were when the weights are random.

    Attributes:
        method: Its name.
        rank_correlation: Spearman's, between the maps of the trained and of the random network, -1 to 1,
            mean over the pictures. A map that is level everywhere has no order: two such agree fully, 1, and
            one of them with another map not at all, 0.
        images: How many pictures.
        level: How many of their maps, two for each picture, are level.
    """

    method: str
    rank_correlation: float
    images: int
    level: int

    @property
    def verdict(self) -> Literal["pass", "fail", "undetermined"]:
        """Whether the maps depend on the weights.

        `pass` where the correlation is at most 0.5, else `fail`: then the method draws the picture, not what
        the recognizer looks at. `undetermined` where most of the maps are level: then they show nothing.
        """
        if self.level > self.images:
            return "undetermined"
        return "pass" if self.rank_correlation <= LIMIT else "fail"

    def as_json(self) -> dict[str, Any]:
        """Return an entry of the document's `sanity`."""
        return {**asdict(self), "limit": LIMIT, "verdict": self.verdict}


def sanity(
    method: str, trained: Map, randomized: Map, images: Sequence[UInt8], indices: Sequence[int]
) -> Sanity:
    """Return how much the maps of a method stay as they were when the weights are random.

    Args:
        method: Its name.
        trained: Makes the map of a picture and a class from the trained network.
        randomized: The same from one with random weights.
        images: N ≥ 1 pictures, uint8 (size, size, channels).
        indices: The class of each.

    Raises:
        UsageError: No picture.
    """
    if not images:
        raise UsageError("a sanity check needs at least one picture", code="empty")
    pairs = [
        (trained(image, index), randomized(image, index))
        for image, index in zip(images, indices, strict=True)
    ]
    agreements = [_agreement(*pair) for pair in pairs]
    level = sum(_is_level(heatmap) for pair in pairs for heatmap in pair)
    return Sanity(method, float(np.mean(agreements)), len(pairs), level)


def spearman(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return the rank correlation of two arrays of one shape, -1 to 1; equal values share their mean rank.

    Where one is the same everywhere there is no order to agree with, and it is 0.

    Raises:
        UsageError: The shapes differ.

    >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 15.0]))
    0.5
    """
    if first.shape != second.shape:
        raise UsageError(f"a rank correlation needs two equal shapes; got {first.shape} and {second.shape}")
    a, b = (_ranks(values.ravel()) for values in (first, second))
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / norm if norm > 0 else 0.0


def _agreement(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    if _is_level(one) or _is_level(other):
        return float(_is_level(one) and _is_level(other))
    height, width = max(one.shape[0], other.shape[0]), max(one.shape[1], other.shape[1])
    return spearman(grid.enlarged(one, height, width), grid.enlarged(other, height, width))


def _is_level(heatmap: NDArray[np.floating]) -> bool:
    return bool(np.ptp(heatmap) <= _LEVEL * np.abs(heatmap).max())


def _ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    mean_rank = last - (counts - 1) / 2
    return np.asarray(mean_rank[place], dtype=np.float64)
