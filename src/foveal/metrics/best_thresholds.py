"""The score from which on a finding is shown: for each class the one with the best F.

It has to be chosen on other pictures than those on which F is told: chosen on the same, F flatters.
Source: van Rijsbergen, "Information Retrieval", 1979, chapter 7 (F).
"""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.metrics.match import Matches


def best_thresholds(matches: Matches, *, beta: float = 1.0) -> NDArray[np.float64]:
    """Return the threshold of each class with the largest F, float64 (K,); of equal ones the highest.

    Thresholds lie between neighbouring scores, so that rounding in another engine moves no finding across.

    Args:
        matches: Of validation pictures, for one limit of the overlap.
        beta: So many times as much as precision does recall count.

    Returns:
        NaN for a class of which nothing that was found is right: no threshold is better than another.

    Raises:
        UsageError: There are several limits, or `beta` is not above 0.
    """
    if not beta > 0:
        raise UsageError(f"beta must be above 0; got {beta}")
    right, ignored = matches.only()
    thresholds = np.full(matches.truths.shape[1], np.nan)
    for label in range(len(thresholds)):
        mine = (matches.labels == label) & ~ignored
        if not right[mine].any():
            continue
        scores = matches.scores[mine]
        last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # of each distinct score
        hits = np.cumsum(right[mine])[last]
        f = (1 + beta**2) * hits / (beta**2 * matches.truths[:, label].sum() + last + 1)
        best = int(f.argmax())
        following = scores[last[best + 1]] if best + 1 < len(last) else min(0.0, scores[-1])
        thresholds[label] = (scores[last[best]] + following) / 2
    return thresholds
