"""How much a disturbed picture costs: accuracy under each corruption, at model size."""

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.answering import Runs
from foveal.bundle.session import Float32
from foveal.core.progress import Progress, silent
from foveal.core.random import stream
from foveal.data.dataset import UInt8
from foveal.evaluate.answers import probabilities_at_size, right_at_size
from foveal.evaluate.corrupted import corrupted
from foveal.evaluate.document import Disturbed
from foveal.metrics.clopper_pearson import clopper_pearson

# Cheap ones, so that a report costs no more than it did; `foveal certify` measures all.
NAMES = ("gaussian_blur", "gaussian_noise", "jpeg_compression", "underexposure")
SEVERITY = 3
MOST_IMAGES = 500  # are disturbed by those who measure
NONE = "none"  # the pictures as they are


def robustness(
    predictor: Runs,
    images: UInt8,
    labels: NDArray[np.int64],
    *,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = silent,
) -> tuple[Disturbed, ...]:
    """Return the accuracy under each corruption of `NAMES`.

    The first row, `none` with severity 0, is the accuracy on these very pictures as they are.

    Args:
        predictor: Runs the model.
        images: At model size, uint8 (N, size, size, C), N ≥ 1.
        labels: The truth, int64 (N,).
        seed: Of the noise.
        threads: So many batches are worked on at once.
        progress: Told after every corruption.
    """
    results = []
    for place, name in enumerate((NONE, *NAMES)):
        right = right_under(name, predictor, images, labels, seed=seed, threads=threads)
        results.append(counted(name, right, len(labels)))
        if place:
            progress("disturbing", place, len(NAMES), name)
    return tuple(results)


def right_under(
    name: str,
    predictor: Runs,
    images: UInt8,
    labels: NDArray[np.int64],
    *,
    seed: int = 0,
    threads: int = 1,
) -> int:
    """Return how many pictures are named correctly under a corruption, or as they are; see `robustness`."""

    def ask(asked: UInt8) -> Float32:
        return probabilities_at_size(predictor, asked, threads=threads)

    if name == NONE:
        return right_at_size(predictor, images, labels, threads=threads)
    rng = stream(seed, "robustness", name)
    return int(corrupted(name, images, labels, severity=SEVERITY, rng=rng, ask=ask).right.sum())


def counted(name: str, right: int, images: int) -> Disturbed:
    """Return the row of a corruption under which so many of the pictures are named correctly."""
    return Disturbed(name, 0 if name == NONE else SEVERITY, clopper_pearson(right, images))
