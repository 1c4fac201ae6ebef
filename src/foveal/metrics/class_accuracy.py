"""Of objects that were found wherever they are, how often the class is right: recognition without search.

What was found takes, the surest first and whatever its class, of the objects that are still free the one that
it overlaps most. So a wrong class is no miss here, and a miss is no wrong class.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.metrics._by_units import Units, ratio, resampled_sums
from foveal.metrics._found import Found, Truth
from foveal.metrics._pairs import pairs

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClassAccuracy:
    """Shares of objects that were found; None where none was.

    Attributes:
        pooled: Of all classes.
        per_class: Of the objects that are of each class.
    """

    pooled: Measured | None
    per_class: tuple[Measured | None, ...]


def class_accuracy(  # noqa: PLR0913 - as `f1_at_threshold`, from what was matched otherwise
    found: Sequence[Found],
    truths: Sequence[Truth],
    *,
    classes: int,
    iou: float,
    units: Units = None,
    draws: int = 1000,
    seed: int = 0,
) -> ClassAccuracy:
    """Return how often the class of what was found is right, with BCa intervals over pictures or groups.

    Args:
        found: What is shown on each picture: above its thresholds.
        truths: What is there; what is to be ignored plays no part.
        classes: How many there are.
        iou: Least overlap, in (0, 1].
        units: What each picture belongs to, integers (N,); whole units are drawn.
        draws: Resamples.
        seed: Equal seeds give equal intervals.

    Raises:
        UsageError: The numbers of pictures differ, or there is none.
    """
    if len(found) != len(truths) or not found:
        raise UsageError(f"need what is there for each of {len(found)} pictures; got {len(truths)}")
    counts = np.zeros((len(found), 2, classes))
    for row, (some, truth) in enumerate(zip(found, truths, strict=True)):
        classless = replace(some, labels=np.zeros_like(some.labels))
        there = replace(truth, labels=np.zeros_like(truth.labels))
        mine, own = pairs(classless, there, iou=iou)
        labels = truth.labels[own]
        counts[row, 0] = np.bincount(labels[some.labels[mine] == labels], minlength=classes)
        counts[row, 1] = np.bincount(labels, minlength=classes)

    def shares(sums: Floats) -> Floats:
        right, met = sums.reshape(len(sums), 2, classes).swapaxes(0, 1)
        whole = ratio(right.sum(axis=1), met.sum(axis=1))
        return np.concatenate([whole[:, None], ratio(right, met)], axis=1)

    columns = counts.reshape(len(found), -1)
    pooled, *each = resampled_sums(columns, shares, units=units, draws=draws, seed=seed)
    return ClassAccuracy(pooled, tuple(each))
