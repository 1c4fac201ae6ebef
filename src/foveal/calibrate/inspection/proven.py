"""Which thresholds are proven: how far up parts may be accepted, and how far down they may be rejected.

Source: Wilks, "Determination of sample sizes for setting tolerance limits", 1941: the share of a
distribution below its k-th smallest of n independent values is at most Beta(k, n + 1 - k), whatever the
distribution. In the words of Angelopoulos et al., "Learn then Test", 2021, §4.1 it is fixed-sequence testing:
a part that is accepted below one threshold is accepted below a higher one, so risks only grow along the
sequence, and all thresholds on the near side of the limit hold together. https://arxiv.org/abs/2110.01052

That is what lets costs choose among them afterwards: a limit that is wrong (probability ≤ delta) is the only
way in which a threshold inside of it can be.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.pac_rank import pac_rank
from foveal.core.errors import UsageError
from foveal.core.promises import images_needed

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Proven:
    """What is proven of one side.

    Attributes:
        limit: Of accepting: any threshold up to it keeps the promise. Of rejecting: any threshold above it
            does. None: nothing is proven.
        rate: Promised share of parts on the wrong side.
        delta: Probability that the promise is wrong.
        n: Parts that it rests on.
        needed: Without a limit, how many parts would prove one.
    """

    limit: float | None
    rate: float
    delta: float
    n: int
    needed: int | None


def accept_limit(defective: Floats, *, rate: float, delta: float) -> Proven:
    """Return up to which score parts may be accepted: P(share of defective parts below > rate) ≤ delta.

    Args:
        defective: Scores of independent defective parts, finite, (N,), N ≥ 0.
        rate: Share of defective parts that may be accepted.
        delta: Probability that it is more, over the draw of these parts.

    Raises:
        UsageError: Scores, rate or delta are not such.
    """
    allowed = _allowed(defective, rate, delta)
    limit = float(np.sort(defective)[allowed]) if allowed >= 0 else None
    return _proven(limit, defective, rate, delta)


def reject_limit(good: Floats, *, rate: float, delta: float) -> Proven:
    """Return above which score parts may be rejected: P(share of good parts above > rate) ≤ delta.

    Arguments, result and errors as of `accept_limit`, with good parts.
    """
    allowed = _allowed(good, rate, delta)
    limit = float(np.sort(good)[len(good) - 1 - allowed]) if allowed >= 0 else None
    return _proven(limit, good, rate, delta)


def worst_of_group(scores: Floats, groups: NDArray[np.integer] | None, *, defective: bool) -> Floats:
    """Return one score for each group of parts that are not independent, such as pictures of one part.

    It is the one that is likeliest to be on the wrong side: of defective parts the lowest, of good ones the
    highest. What is then promised is the share of groups in which any is.

    Args:
        scores: (N,).
        groups: What each belongs to, integers (N,); None: each stands for itself.
        defective: Whether they are defective.

    Raises:
        UsageError: There is not one group for each score.
    """
    if groups is None:
        return scores
    if np.shape(groups) != scores.shape:
        raise UsageError(f"need one group for each of {len(scores)} scores; got shape {np.shape(groups)}")
    names, places = np.unique(groups, return_inverse=True)
    worst = np.full(len(names), np.inf if defective else -np.inf)
    (np.minimum if defective else np.maximum).at(worst, places, scores)
    return worst


def _allowed(scores: Floats, rate: float, delta: float) -> int:
    """Return how many parts may be on the wrong side; -1 where none proves nothing, either."""
    if scores.ndim != 1 or not np.isfinite(scores).all():
        raise UsageError(f"scores are finite numbers (N,); got {scores.dtype} {scores.shape}")
    return len(scores) - pac_rank(len(scores), rate, delta)


def _proven(limit: float | None, scores: Floats, rate: float, delta: float) -> Proven:
    needed = images_needed(rate, delta) if limit is None else None
    return Proven(limit, rate, delta, len(scores), needed)
