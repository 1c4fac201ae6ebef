"""A share of pictures of which some belong together: the estimate counts all, the interval counts units.

See `metrics.independent_number`.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.metrics.clopper_pearson import clopper_pearson


def clustered_share(right: NDArray[np.bool_], independent: float) -> Measured:
    """Return the share of pictures for which something holds; `n` is the whole number below `independent`.

    Args:
        right: bool (N,), N ≥ 1.
        independent: Of `metrics.independent_number`.
    """
    return clopper_pearson(float(right.mean()) * independent, independent)
