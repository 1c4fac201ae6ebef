"""How much a disturbed picture costs: accuracy under each corruption, at model size."""

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.answering import Runs
from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.core.progress import Progress, silent
from foveal.core.random import stream
from foveal.data.sizing import evenly_spaced
from foveal.evaluate.document import Disturbed
from foveal.evaluate.held_out import HeldOut, readable
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.perturb import corruptions

SEVERITY = 3
MOST_IMAGES = 500
_BATCH = 64


def robustness(
    predictor: Runs,
    held_out: HeldOut,
    positions: NDArray[np.int64],
    *,
    severity: int = SEVERITY,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[Disturbed, ...]:
    """Return the accuracy under every corruption in `perturb/corruptions`, on at most 500 pictures.

    The pictures are evenly spaced over those given, the same for every corruption. The first row, `none` with
    severity 0, is the accuracy on these very pictures as they are.

    Args:
        predictor: Runs the model.
        held_out: The pictures.
        positions: Which of them may be taken, rising, int64 (N,): those that could be read before.
        severity: 1 to 5.
        seed: Of the noise.
        progress: Told after every batch.

    Raises:
        UsageError: Not one picture can be used, or another severity.
    """
    chosen = positions[evenly_spaced(len(positions), at_most=MOST_IMAGES)]
    pixels, found, _ = readable(held_out, chosen.tolist())
    if not pixels:
        raise UsageError("robustness needs at least one readable picture", code="empty")
    images, labels = np.stack(pixels), held_out.labels[found]
    names = catalog.names(corruptions)
    answers = [predictor.run(images[at : at + _BATCH]) for at in range(0, len(images), _BATCH)]
    right = int((np.concatenate([a.probabilities for a in answers]).argmax(axis=1) == labels).sum())
    results = [Disturbed("none", 0, clopper_pearson(right, len(images)))]
    for place, name in enumerate(names):
        corrupt, rng, right = catalog.find(corruptions, name), stream(seed, "robustness", name), 0
        for start in range(0, len(images), _BATCH):
            disturbed = corrupt(images[start : start + _BATCH], severity=severity, rng=rng)
            answer = predictor.run(disturbed).probabilities.argmax(axis=1)
            right += int((answer == labels[start : start + _BATCH]).sum())
            progress("disturbing", place * len(images) + start + len(answer), len(names) * len(images), name)
        results.append(Disturbed(name, severity, clopper_pearson(right, len(images))))
    return tuple(results)
