"""How often the first k of a ranking hold something that fits.

Of several things that fit, the first one counts, as is usual for pictures with several texts: Karpathy &
Fei-Fei, "Deep Visual-Semantic Alignments for Generating Image Descriptions", 2015, §4.2.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.metrics.clustered_share import clustered_share
from foveal.metrics.independent_number import independent_number


def recall_at(
    similarities: NDArray[np.floating],
    fits: NDArray[np.bool_],
    *,
    k: int,
    units: NDArray[np.int64] | None = None,
) -> Measured:
    """Return the share of questions for which one of the k most similar things fits.

    What does not fit and is exactly as similar is ranked before what fits: a network that finds all things
    alike finds nothing.

    Args:
        similarities: (N, M), larger is more similar.
        fits: bool (N, M), at least one in each row.
        k: 1 or more.
        units: A number for each question, equal for those that belong together, (N,); None: all stand alone.

    Raises:
        UsageError: The arrays are not such.

    >>> recall_at(np.array([[0.9, 0.1], [0.8, 0.7]]), np.eye(2, dtype=bool), k=1).value
    0.5
    """
    if similarities.ndim != 2 or similarities.shape != fits.shape or not similarities.size:
        raise UsageError(f"need (N, M) similarities and fits; got {similarities.shape} and {fits.shape}")
    if not np.isfinite(similarities).all() or not fits.any(axis=1).all() or k < 1:
        raise UsageError("similarities are finite, each row has something that fits, and k is 1 or more")
    best = np.where(fits, similarities, -np.inf).max(axis=1, keepdims=True)
    before = ((similarities >= best) & ~fits).sum(axis=1)
    return clustered_share(before < k, independent_number(units, len(similarities)))
