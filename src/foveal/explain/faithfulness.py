"""Does a map show what the recognizer looks at? Hide and reveal in its order, and see what the answer does.

Source: Petsiuk et al., "RISE", 2018, §4.1 (deletion and insertion).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.answering import Runs
from foveal.core.random import stream
from foveal.explain import grid
from foveal.explain.backdrop import backdrop
from foveal.explain.scores import Float32, UInt8, check_picture, probabilities

STEPS = 20
PEAK_SHARE = 0.1  # of the picture: the area called the most important
_RANDOM_CELLS = 5  # of a random map along each side: its areas are as coherent as those of real maps


@dataclass(frozen=True)
class Faithfulness:
    """What the probability of a class does as a picture vanishes and appears in the order of a map.

    Attributes:
        deletion: Probability with 0, 1/20 … all of the picture hidden, the most important first.
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
    def without_peak(self) -> float:
        """Probability with the most important tenth of the picture hidden."""
        return self.deletion[round(PEAK_SHARE * STEPS)]

    def as_json(self) -> dict[str, Any]:
        """Return the two areas."""
        return {"deletion_auc": self.deletion_auc, "insertion_auc": self.insertion_auc}


def faithfulness(runs: Runs, image: UInt8, heatmap: NDArray[np.floating], index: int) -> Faithfulness:
    """Return what hiding and revealing in the order of a map does to the answer; it takes 42 answers.

    Args:
        runs: The recognizer.
        image: uint8 (size, size, channels) at model size.
        heatmap: (h, w), larger is more important; any h and w.
        index: The class.

    Raises:
        UsageError: The picture is not such.
    """
    check_picture(image)
    behind, size = backdrop(image), len(image)
    cuts = [round(step * size * size / STEPS) for step in range(STEPS + 1)]
    ordered = _order(heatmap, size, size * size)

    def exchanged(bottom: UInt8, top: UInt8) -> Iterator[UInt8]:
        for cut in cuts:
            picture = bottom.copy()
            rows, columns = (places[:cut] for places in ordered)
            picture[rows, columns] = top[rows, columns]
            yield picture

    deletion, insertion = (
        tuple(float(p) for p in probabilities(runs, exchanged(*layers))[:, index])
        for layers in ((image, behind), (behind, image))
    )
    return Faithfulness(deletion, insertion)


def without_peak(image: UInt8, heatmap: NDArray[np.floating]) -> UInt8:
    """Return the picture with the most important tenth of it hidden, uint8 (size, size, channels).

    Args:
        image: uint8 (size, size, channels).
        heatmap: (h, w), larger is more important.
    """
    hidden = image.copy()
    rows, columns = _order(heatmap, len(image), round(PEAK_SHARE * len(image) ** 2))
    hidden[rows, columns] = backdrop(image)[rows, columns]
    return hidden


def by_chance(
    runs: Runs, image: UInt8, index: int, *, seed: int = 0, maps: int = 3
) -> tuple[Faithfulness, ...]:
    """Return the same for random maps: what a map must be better than to show anything.

    Args:
        runs: The recognizer.
        image: uint8 (size, size, channels) at model size.
        index: The class.
        seed: Of the random maps.
        maps: How many.
    """
    rng = stream(seed, "random maps")
    return tuple(faithfulness(runs, image, _random(rng), index) for _ in range(maps))


def _order(heatmap: NDArray[np.floating], size: int, count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the first `count` pixels in the order of a map."""
    order = np.argsort(-grid.enlarged(heatmap, size, size), axis=None, kind="stable")
    rows, columns = np.unravel_index(order[:count], (size, size))
    return rows, columns


def _random(rng: np.random.Generator) -> Float32:
    return rng.random((_RANDOM_CELLS, _RANDOM_CELLS), np.float32)


def _area(curve: tuple[float, ...]) -> float:
    return float(np.trapezoid(curve, dx=1 / (len(curve) - 1)))
