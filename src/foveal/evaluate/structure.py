"""Does it look at the parts or at their arrangement? Accuracy without either, scale by scale."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.answering import Runs
from foveal.core import catalog
from foveal.core.random import stream
from foveal.core.types import Measured
from foveal.data.dataset import UInt8
from foveal.evaluate.answers import right_at_size
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.perturb import structure as views

BLOCKS = (2, 4, 8)


@dataclass(frozen=True)
class Seen:
    """Accuracy on one view of pictures; see `perturb/structure`."""

    view: str
    blocks: int
    accuracy: Measured


def structure(
    predictor: Runs,
    images: UInt8,
    labels: NDArray[np.int64],
    *,
    seed: int = 0,
) -> tuple[Seen, ...]:
    """Return the accuracy on every view in `perturb/structure` with 2, 4 and 8 blocks on a side.

    A number of blocks that does not divide the side of the pictures is left out.

    Args:
        predictor: Runs the model.
        images: At model size, uint8 (N, size, size, C), N ≥ 1.
        labels: The truth, int64 (N,).
        seed: Of the shuffling: the same pictures for every recognizer of that size.
    """
    names = catalog.names(views)
    scales = [blocks for blocks in BLOCKS if images.shape[-3] % blocks == 0]
    frames = images.reshape(-1, *images.shape[-3:])  # of clips each by itself
    seen = []
    for name in names:
        for blocks in scales:
            rng = stream(seed, "structure", name, blocks)
            shown = catalog.find(views, name)(frames, blocks=blocks, rng=rng).reshape(images.shape)
            right = right_at_size(predictor, shown, labels)
            seen.append(Seen(name, blocks, clopper_pearson(right, len(labels))))
    return tuple(seen)
