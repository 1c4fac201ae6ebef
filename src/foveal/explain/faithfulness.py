"""Does a map show what the recognizer looks at? Hide and reveal in its order, and see what the answer does.

Source: Petsiuk et al., "RISE", 2018, §4.1 (deletion and insertion).
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.answering import Runs
from foveal.core.random import stream
from foveal.explain import grid
from foveal.explain.backdrop import backdrop
from foveal.explain.scores import UInt8, check_picture, probabilities

STEPS = 20
PEAK_SHARE = 0.1  # of the picture: the area called the most important
RANDOM_MAPS = 19  # that a map is compared with: an unrelated one is the best of 20 once in 20 times
_RANDOM_STEPS = 10  # of each of them: there are many, and whether it is the best hardly depends on the steps


@dataclass(frozen=True)
class Faithfulness:
    """What the probability of a class does as a picture vanishes and appears in the order of a map.

    Attributes:
        deletion: Probability with 0, 1/20 … all of the picture hidden, the most important first; of random
            maps with 0, 1/10 …
        insertion: Probability with 0, 1/20 … all of it shown, the most important first.
    """

    deletion: tuple[float, ...]
    insertion: tuple[float, ...]

    @property
    def deletion_auc(self) -> float:
        """Mean probability while it vanishes, 0 to 1: the lower, the better the map."""
        return _area(self.deletion)

    @property
    def insertion_auc(self) -> float:
        """Mean probability while it appears, 0 to 1: the higher, the better the map."""
        return _area(self.insertion)

    @property
    def gain(self) -> float:
        """Insertion area less deletion area, -1 to 1, from every tenth: by it, maps are compared."""
        every = (len(self.deletion) - 1) // _RANDOM_STEPS
        return _area(self.insertion[::every]) - _area(self.deletion[::every])

    @property
    def without_peak(self) -> float:
        """Probability with the most important tenth of the picture hidden."""
        return self.deletion[round(PEAK_SHARE * STEPS)]

    def as_json(self) -> dict[str, Any]:
        """Return the two areas."""
        return {"deletion_auc": self.deletion_auc, "insertion_auc": self.insertion_auc}


def faithfulness(runs: Runs, image: UInt8, heatmap: NDArray[np.floating], index: int) -> Faithfulness:
    """Return what hiding and revealing in the order of a map does to the answer; it takes 40 answers.

    Args:
        runs: The recognizer.
        image: uint8 (size, size, channels) at model size.
        heatmap: (h, w), larger is more important; any h and w.
        index: The class.

    Raises:
        UsageError: The picture is not such.
    """
    [found] = _judged(runs, image, [heatmap], index, steps=STEPS)
    return found


def without_peak(image: UInt8, heatmap: NDArray[np.floating]) -> UInt8:
    """Return the picture with the most important tenth of it hidden, uint8 (size, size, channels).

    Args:
        image: uint8 (size, size, channels).
        heatmap: (h, w), larger is more important.
    """
    hidden = _ranks(heatmap, len(image)) < round(PEAK_SHARE * len(image) ** 2)
    return np.where(hidden[..., None], backdrop(image), image)


def by_chance(
    runs: Runs, image: UInt8, heatmap: NDArray[np.floating], index: int, *, seed: int = 0
) -> tuple[Faithfulness, ...]:
    """Return the same for 19 random maps: the map itself, moved, mirrored and turned at random.

    They are as coarse and as rugged as the map, which noise is not: a coarse map beats fine noise by luck. If
    a map has nothing to do with the picture, any of these places is as likely as its own. What is moved out
    at one side comes in at the other. It takes 344 answers.

    Args:
        runs: The recognizer.
        image: uint8 (size, size, channels) at model size.
        heatmap: (h, w), larger is more important.
        index: The class.
        seed: With the picture and the class it decides which of all places are taken.

    Raises:
        UsageError: The picture is not such.
    """
    rng = stream(seed, "random maps", hashlib.sha256(image.tobytes()).hexdigest(), str(index))
    return tuple(_judged(runs, image, _elsewhere(heatmap, rng), index, steps=_RANDOM_STEPS))


def _elsewhere(heatmap: NDArray[np.floating], rng: np.random.Generator) -> list[NDArray[np.floating]]:
    """Return 19 different ones of all ways to move, mirror and turn a map; of a tiny map all there are."""
    height, width = heatmap.shape
    turns = 2 if height == width else 1  # by a quarter: with moves and both mirrors that makes all of them
    ways = (turns, 2, 2, height, width)
    count = math.prod(ways) - 1  # the first leaves it as it is
    found = []
    for way in rng.choice(count, min(RANDOM_MAPS, count), replace=False) + 1:
        turn, upside, sideways, down, right = np.unravel_index(way, ways)
        moved = np.rot90(heatmap, turn)[:: 1 - 2 * upside, :: 1 - 2 * sideways]
        found.append(np.roll(moved, (down, right), axis=(0, 1)))
    return found


def _judged(
    runs: Runs, image: UInt8, heatmaps: Sequence[NDArray[np.floating]], index: int, *, steps: int
) -> list[Faithfulness]:
    """Return the curves of several maps; both ends are the same for all, and are asked for once."""
    check_picture(image)
    behind, size = backdrop(image), len(image)
    cuts = [round(step * size * size / steps) for step in range(1, steps)]

    def pictures() -> Iterator[UInt8]:
        yield image
        yield behind
        for heatmap in heatmaps:
            ranks = _ranks(heatmap, size)[..., None]
            yield from (np.where(ranks < cut, behind, image) for cut in cuts)
            yield from (np.where(ranks < cut, image, behind) for cut in cuts)

    whole, hidden, *rows = probabilities(runs, pictures())[:, index].tolist()
    curves = np.reshape(rows, (len(heatmaps), 2, len(cuts))).tolist()
    return [Faithfulness((whole, *falls, hidden), (hidden, *rises, whole)) for falls, rises in curves]


def _ranks(heatmap: NDArray[np.floating], size: int) -> NDArray[np.intp]:
    """Return the place of each pixel in the order of a map, 0 for the most important, (size, size).

    Equal values follow in a fixed random order: row by row, a level map would be one of the top.
    """
    values = grid.enlarged(heatmap, size, size).ravel()
    order = np.lexsort((stream(0, "ties").permutation(size * size), -values))
    ranks = np.empty(size * size, np.intp)
    ranks[order] = np.arange(size * size)
    return ranks.reshape(size, size)


def _area(curve: tuple[float, ...]) -> float:
    return float(np.trapezoid(curve, dx=1 / (len(curve) - 1)))
