"""How pure the highest scores are: the area under the precision-recall curve.

Source: Davis & Goadrich, "The Relationship Between Precision-Recall and ROC Curves", ICML 2006: between two
points of the curve no straight line may be drawn, so the area is a sum of steps (average precision).
"""

import numpy as np
from numpy.typing import NDArray

from foveal.metrics._two_groups import two_groups


def aupr(higher: NDArray[np.floating], lower: NDArray[np.floating]) -> float:
    """Return Σ over thresholds (rise in recall) · precision, in (0, 1]; chance gives M / (M + N).

    It depends on how many there are of each: compare it on the same images only.

    Args:
        higher: Scores of the group that should have the higher ones, (M,), M ≥ 1, finite.
        lower: Scores of the other, (N,), N ≥ 1.

    Raises:
        UsageError: The scores are not such.
    """
    found, others = two_groups(higher, lower)
    thresholds = np.unique(found)[::-1]
    recalled = len(found) - np.searchsorted(np.sort(found), thresholds, side="left")
    false = len(others) - np.searchsorted(np.sort(others), thresholds, side="left")
    rises = np.diff(recalled, prepend=0) / len(found)
    return float((rises * recalled / (recalled + false)).sum())
