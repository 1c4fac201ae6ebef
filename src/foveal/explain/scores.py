"""What a recognizer answers for altered pictures, in the unit that maps are measured in.

The unit is the log-odds of a class, ln(p / (1 - p)), in nats. A probability near 1 hardly moves whatever is
hidden, so a map in probabilities is flat exactly where the recognizer is surest; log-odds do not saturate.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.answering import Runs
from foveal.core.errors import UsageError

UInt8 = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Map = Callable[[UInt8, int], Float32]  # the picture at model size and a class: how much each area matters

BATCH = 16  # pictures that run together: larger batches are no faster on processors, only hungrier
_SMALLEST = 1e-30  # a probability below this counts as this: 69 nats


def probabilities(runs: Runs, images: Iterable[UInt8]) -> Float32:
    """Return the probabilities of all classes for pictures that are made as they are needed, float32 (N, K).

    Args:
        runs: The recognizer.
        images: N ≥ 1 pictures, uint8 (size, size, channels).
    """
    answers: list[Float32] = []
    waiting: list[UInt8] = []
    for image in images:
        waiting.append(image)
        if len(waiting) == BATCH:
            answers.append(runs.run(np.stack(waiting)).probabilities)
            waiting = []
    if waiting:
        answers.append(runs.run(np.stack(waiting)).probabilities)
    return np.concatenate(answers)


def log_odds(rows: Float32, classes: int | list[int]) -> NDArray[np.float64]:
    """Return ln(p / (1 - p)) in nats, between -69 and 69: float64 (N,) of one class, (N, M) of a list of M.

    1 - p is summed from the other classes, which keeps its digits where p is nearly 1.

    Args:
        rows: Probabilities (N, K).
        classes: Index or indices in [0, K).
    """
    wide = rows.astype(np.float64)
    inside = wide[:, classes]
    if isinstance(classes, int):
        others = np.delete(wide, classes, axis=1).sum(axis=1)
    else:
        others = np.stack([np.delete(wide, k, axis=1).sum(axis=1) for k in classes], axis=1)
    odds: NDArray[np.float64] = np.log(np.maximum(inside, _SMALLEST)) - np.log(np.maximum(others, _SMALLEST))
    return odds


def check_picture(image: UInt8) -> None:
    """Refuse anything but one picture at model size.

    Raises:
        UsageError: It is not uint8 (size, size, channels).
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[0] != image.shape[1] or not image.size:
        raise UsageError(f"a map needs uint8 (size, size, channels); got {image.dtype} {image.shape}")
