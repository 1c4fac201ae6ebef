"""A difference of two shares of the same pictures, of which some belong together.

The estimate counts all pictures, the interval counts units; see `metrics.independent_number`.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.metrics.paired_difference import paired_difference


def clustered_difference(first: NDArray[np.bool_], second: NDArray[np.bool_], independent: float) -> Measured:
    """Return the share of the first minus that of the second on the same pictures.

    Args:
        first: bool (N,), N ≥ 1.
        second: The same pictures, bool (N,).
        independent: Of `metrics.independent_number`.
    """
    only_first, only_second = float((first & ~second).mean()), float((second & ~first).mean())
    return paired_difference(only_first * independent, only_second * independent, independent)
