"""How often what is told of an object beside its class is right, of objects that were found.

Objects that were missed and false alarms play no part: how many those are, the other metrics say. Objects of
one picture depend on each other, so intervals are over pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.metrics._by_units import Units, ratio, resampled_sums

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AttributeAccuracy:
    """Of one attribute, and of those objects that were found and of which it is stated.

    Attributes:
        accuracy: Share whose most probable value is the right one; None where there are none.
        told: Share of which a value is told; the others are `unknown`.
        told_accuracy: Share of those that is told rightly; None where nothing is told.
        objects: How many there are.
    """

    accuracy: Measured | None
    told: Measured | None
    told_accuracy: Measured | None
    objects: int


def attribute_accuracy(
    shares: Sequence[NDArray[np.floating]],
    values: Sequence[NDArray[np.integer]],
    threshold: float,
    *,
    units: Units = None,
    draws: int = 1000,
    seed: int = 0,
) -> AttributeAccuracy:
    """Return how often an attribute is told rightly, with BCa intervals over pictures.

    Args:
        shares: Of each picture the probabilities of the values, (M_i, V), of what was found.
        values: The right ones, integers (M_i,) in [0, V); below 0 one that is none of these.
        threshold: The probability from which on the most probable value is told; at 1 none ever is.
        units: What each picture belongs to, integers (N,); whole units are drawn.
        draws: Resamples.
        seed: Equal seeds give equal intervals.

    Raises:
        UsageError: There is no picture, or the arrays are not such.
    """
    if [len(one) for one in shares] != [len(own) for own in values]:
        raise UsageError("need one value for each object that was found")
    columns = np.zeros((len(shares), 4))
    for row, (one, own) in enumerate(zip(shares, values, strict=True)):
        if len(own) == 0:
            continue
        right, told = one.argmax(axis=1) == own, (one.max(axis=1) >= threshold) & (threshold < 1)
        columns[row] = len(own), right.sum(), told.sum(), (right & told).sum()
    found = resampled_sums(columns, _shares, units=units, draws=draws, seed=seed)
    accuracy, told, told_accuracy = found
    return AttributeAccuracy(accuracy, told, told_accuracy, int(columns[:, 0].sum()))


def _shares(sums: Floats) -> Floats:
    """Return accuracy, share told and accuracy of what is told, (B, 3), of sums (B, 4)."""
    there, right, told, rightly = sums.T
    return np.stack([ratio(right, there), ratio(told, there), ratio(rightly, told)], axis=1)
