"""How much a disturbed picture costs: accuracy under each corruption, at model size."""

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.answering import Runs
from foveal.core import catalog
from foveal.core.progress import Progress, silent
from foveal.core.random import stream
from foveal.data.dataset import UInt8
from foveal.evaluate.answers import accuracy_at_size
from foveal.evaluate.document import Disturbed
from foveal.perturb import corruptions

# Cheap ones, so that a report costs no more than it did; `foveal certify` measures all.
NAMES = ("gaussian_blur", "gaussian_noise", "jpeg_compression", "underexposure")
SEVERITY = 3
MOST_IMAGES = 500  # are disturbed by those who measure
_BATCH = 64  # pictures that are disturbed at once


def robustness(
    predictor: Runs,
    images: UInt8,
    labels: NDArray[np.int64],
    *,
    severity: int = SEVERITY,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[Disturbed, ...]:
    """Return the accuracy under each corruption of `NAMES`.

    The first row, `none` with severity 0, is the accuracy on these very pictures as they are.

    Args:
        predictor: Runs the model.
        images: At model size, uint8 (N, size, size, C), N ≥ 1.
        labels: The truth, int64 (N,).
        severity: 1 to 5.
        seed: Of the noise.
        progress: Told after every corruption.

    Raises:
        UsageError: Another severity.
    """
    results = [Disturbed("none", 0, accuracy_at_size(predictor, images, labels))]
    for place, name in enumerate(NAMES):
        corrupt, rng = catalog.find(corruptions, name), stream(seed, "robustness", name)
        disturbed = [
            corrupt(images[start : start + _BATCH], severity=severity, rng=rng)
            for start in range(0, len(images), _BATCH)
        ]
        found = accuracy_at_size(predictor, np.concatenate(disturbed), labels)
        results.append(Disturbed(name, severity, found))
        progress("disturbing", place + 1, len(NAMES), name)
    return tuple(results)
