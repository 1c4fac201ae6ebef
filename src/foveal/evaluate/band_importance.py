"""What each band is worth to a recognizer: accuracy where that band comes from another picture.

Source: Breiman, "Random Forests", Machine Learning 2001, §10; Fisher et al., "All Models are Wrong, but Many
are Useful", JMLR 2019. Bands that say the same share their worth: each alone may look dispensable.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.predictor import Predictor
from foveal.core.progress import Progress, silent
from foveal.core.random import stream
from foveal.core.types import Measured
from foveal.data.bands import usual_names
from foveal.data.dataset import UInt8
from foveal.data.preprocess import Preprocess
from foveal.evaluate.answers import probabilities_at_size
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.metrics.paired_difference import paired_difference

_COLOURS = 3


@dataclass(frozen=True)
class BandWorth:
    """What a band is worth.

    Attributes:
        band: Its name.
        accuracy: Where each picture has this band of another one.
        drop: By how much that is below the accuracy on the same pictures as they are.
    """

    band: str
    accuracy: Measured
    drop: Measured

    def as_json(self) -> dict[str, Any]:
        """Return the row of the report."""
        return {"band": self.band, "accuracy": self.accuracy.as_json(), "drop": self.drop.as_json()}


def measured_bands(preprocess: Preprocess) -> tuple[str, ...]:
    """Return the bands whose worth is measured; none of pictures that people look at, nor of films."""
    if preprocess.clip is not None or preprocess.pair is not None or preprocess.channels == 1:
        return ()
    if preprocess.bands is not None:
        return preprocess.bands.names
    return usual_names(preprocess.channels) if preprocess.channels > _COLOURS else ()


def band_importance(
    predictor: Predictor,
    images: UInt8,
    labels: NDArray[np.int64],
    *,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = silent,
) -> tuple[BandWorth, ...]:
    """Return what each band is worth, in their order; of fewer than two pictures nothing can be said.

    Args:
        predictor: The model that ships.
        images: At model size, uint8 (N, H, W, C).
        labels: The truth, int64 (N,).
        seed: Decides which picture a band comes from: never its own, and each gives to one.
        threads: So many batches are worked on at once.
        progress: Told after every band.
    """
    if len(images) < 2:
        return ()
    names = measured_bands(predictor.preprocess)
    right = _right(predictor, images, labels, threads)
    worth = []
    for place, name in enumerate(names):
        order = stream(seed, "band importance", place).permutation(len(images))
        giver = np.empty_like(order)
        giver[order] = np.roll(order, 1)
        mixed = images.copy()
        mixed[..., place] = images[giver][..., place]
        still = _right(predictor, mixed, labels, threads)
        drop = paired_difference(int((right & ~still).sum()), int((still & ~right).sum()), len(images))
        worth.append(BandWorth(name, clopper_pearson(int(still.sum()), len(images)), drop))
        progress("asking without a band", place + 1, len(names), name)
    return tuple(worth)


def _right(predictor: Predictor, images: UInt8, labels: NDArray[np.int64], threads: int) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = probabilities_at_size(predictor, images, threads=threads).argmax(1) == labels
    return found
