"""By how many objects a count is wrong: found minus there, picture by picture.

Source: Lempitsky & Zisserman, "Learning to Count Objects in Images", NIPS 2010 (mean absolute error). A count
can be right though what was counted is not: it says nothing about places.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.metrics._above import above
from foveal.metrics._by_units import Units, resampled_sums
from foveal.metrics.match import Matches


@dataclass(frozen=True)
class CountError:
    """How wrong counts are, in objects per picture.

    Attributes:
        mae: Mean of |found − there|; 0 is best.
        bias: Mean of found − there: above 0 too many are counted.
    """

    mae: Measured
    bias: Measured


@dataclass(frozen=True)
class CountErrors:
    """The same of all objects on a picture and of each class.

    Attributes:
        total: Objects of all classes together; one too many of a class makes up for one too few of another.
        per_class: In class order; over all pictures, also those without an object of the class.
    """

    total: CountError
    per_class: tuple[CountError, ...]


def counting_mae(
    matches: Matches,
    thresholds: NDArray[np.floating],
    *,
    units: Units = None,
    draws: int = 1000,
    seed: int = 0,
) -> CountErrors:
    """Return the errors of counting what is at or above thresholds, with BCa intervals.

    What lies on an object that is to be ignored is not counted; nor is what `match` left out (`most`).

    Args:
        matches: For one limit of the overlap, which decides only what is to be ignored.
        thresholds: Lowest score of each class, (K,), chosen on other pictures; NaN: nothing is counted.
        units: What each picture belongs to, integers (N,); whole units are drawn.
        draws: Resamples.
        seed: Equal seeds give equal intervals.

    Returns:
        `n` is the number of pictures.

    Raises:
        UsageError: There is no picture, or the arguments are not such.
    """
    counts = above(matches, thresholds)
    difference = counts.found - counts.truths
    difference = np.concatenate([difference, difference.sum(axis=1, keepdims=True)], axis=1)
    columns = np.concatenate(
        [np.abs(difference), difference, np.ones((len(difference), 1), np.int64)], axis=1
    )
    found = resampled_sums(
        columns, lambda sums: sums[:, :-1] / sums[:, -1:], units=units, draws=draws, seed=seed
    )
    half = len(found) // 2
    errors = [
        CountError(mae, bias)
        for mae, bias in zip(found[:half], found[half:], strict=True)
        if mae is not None and bias is not None
    ]
    return CountErrors(errors[-1], tuple(errors[:-1]))
