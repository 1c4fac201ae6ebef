"""Scores that can be compared from group to group."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError

Scores = NDArray[np.float64]


def relative(scores: Iterable[Scores]) -> tuple[Scores, ...]:
    """Return scores divided by their mean over the group; where all are 0, all count alike: 1.

    Raises:
        UsageError: `not_finite`: a weight or a gradient is no number, so nothing can be ranked by it.
    """
    found = tuple(scores)
    if not all(np.isfinite(one).all() for one in found):
        raise UsageError(
            "the importance of a unit is not a finite number",
            code="not_finite",
            hint="the weights of this recognizer are damaged; train it anew",
        )
    return tuple(one / one.mean() if one.any() else np.ones_like(one) for one in found)
