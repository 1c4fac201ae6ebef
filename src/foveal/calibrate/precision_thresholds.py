"""The lowest score of each class from which on a precision is proven: few findings are wrong.

Source: Angelopoulos et al., "Learn then Test: Calibrating Predictive Algorithms to Achieve Risk Control",
2021, §3 (fixed-sequence testing). Precision need not rise with the threshold, so thresholds are tested
one after the other, from strict to loose, until one fails; they come from other pictures.
https://arxiv.org/abs/2110.01052
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.proven import (
    Floats,
    Ints,
    Loss,
    ProvenThreshold,
    by_unit,
    check_promise,
    losses_of,
    p_value,
    refused,
)
from foveal.core.errors import UsageError
from foveal.core.promises import DELTA, images_needed
from foveal.metrics.match import Matches

_MOST = 100
_CLEARLY = 5


def precision_candidates(
    tuning: Matches, *, pictures: int, precision: float = 0.95, delta: float = DELTA, loss: Loss = "share"
) -> tuple[Floats, ...]:
    """Return for each class the thresholds to test, at most 100, falling; they lie between scores.

    Any sequence keeps the promise; where it starts decides how often it succeeds, since the first failure
    ends it. It starts at the strictest threshold that would pass clearly (at delta / 5) on so many pictures
    like the tuning ones; else where enough pictures have a finding.

    Args:
        tuning: Of pictures that prove nothing, for one limit of the overlap.
        pictures: How many the thresholds will be tested on.
        precision: To be promised, in (0, 1).
        delta: Probability that the promise is wrong.
        loss: `share` or `any`.

    Raises:
        UsageError: The arguments are not such.
    """
    limit = round(1 - precision, 12)
    check_promise(tuning, limit, delta, loss)
    found = []
    for label in range(tuning.truths.shape[1]):
        shown = _shown(tuning, label)
        scores = np.unique(shown.scores)[::-1]
        kept = np.unique(np.linspace(0, len(scores) - 1, min(_MOST, len(scores))).round().astype(int))
        following = np.append(scores[1:], min(0.0, scores[-1]) if len(scores) else [])
        thresholds = ((scores + following) / 2)[kept]
        losses = [_wrong(shown, float(threshold), loss, None) for threshold in thresholds]
        found.append(thresholds[_start(losses, pictures / len(tuning.truths), limit, delta, loss) :])
    return tuple(found)


def precision_thresholds(
    matches: Matches,
    thresholds: Sequence[NDArray[np.floating]],
    *,
    precision: float = 0.95,
    delta: float = DELTA,
    loss: Loss = "share",
    units: NDArray[np.integer] | None = None,
) -> tuple[ProvenThreshold, ...]:
    """Return for each class the lowest threshold for which P(mean loss > 1 − precision) ≤ delta is proven.

    The loss of a picture with findings of the class at or above the threshold is the share of them that is
    wrong, or, with `any`, whether one is: then the test is exact. Pictures without a finding are in no mean.
    Each promise holds by itself; for all K classes at once divide delta by K.

    Args:
        matches: Of calibration pictures, for one limit of the overlap.
        thresholds: What to test of each class, falling, chosen without these pictures
            (`precision_candidates`).
        precision: Promised, in (0, 1).
        delta: Probability that the promise is wrong.
        loss: `share` or `any`.
        units: What each picture belongs to, integers (N,): pictures of one unit are one.

    Returns:
        A threshold of None where not even the first was proven. `n` is the number of units with a finding.

    Raises:
        UsageError: The arguments are not such, or thresholds do not fall.
    """
    limit = round(1 - precision, 12)
    check_promise(matches, limit, delta, loss)
    if len(thresholds) != matches.truths.shape[1] or any((np.diff(one) >= 0).any() for one in thresholds):
        raise UsageError("need thresholds of each class that fall strictly, from strict to loose")
    found = []
    for label, candidates in enumerate(thresholds):
        proven, best = None, np.empty(0)
        shown = _shown(matches, label)
        for threshold in candidates:
            losses = _wrong(shown, float(threshold), loss, units)
            if p_value(losses, limit=limit, loss=loss) > delta:
                best = losses
                break
            mean = float(losses.mean())
            proven = ProvenThreshold(float(threshold), loss, limit, delta, len(losses), mean, None)
        found.append(proven or refused(best, loss=loss, limit=limit, delta=delta))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class _Shown:
    """What was found of one class and is not to be ignored: falling scores, pictures, and what is right."""

    scores: Floats
    images: Ints
    right: NDArray[np.bool_]
    pictures: int


def _shown(matches: Matches, label: int) -> _Shown:
    right, ignored = matches.only()
    mine = (matches.labels == label) & ~ignored
    return _Shown(matches.scores[mine], matches.images[mine], right[mine], len(matches.truths))


def _wrong(shown: _Shown, threshold: float, loss: Loss, units: NDArray[np.integer] | None) -> Floats:
    """Return the losses of the units with a finding at or above a threshold."""
    count = int(np.searchsorted(-shown.scores, -threshold, side="right"))
    images, right = shown.images[:count], shown.right[:count]
    found = np.bincount(images, minlength=shown.pictures)
    wrong = np.bincount(images[~right], minlength=shown.pictures)
    return losses_of(by_unit(wrong, units), by_unit(found, units), loss)


def _start(losses: Sequence[Floats], scale: float, limit: float, delta: float, loss: Loss) -> int:
    """Return where to start, given what each threshold costs on `1 / scale` times as many pictures."""
    sizes = [math.floor(len(one) * scale) for one in losses]
    for place, (one, n) in enumerate(zip(losses, sizes, strict=True)):
        expected = np.full(n, one.mean() if len(one) else 0.0)
        if p_value(expected, limit=limit, loss=loss) <= delta / _CLEARLY:
            return place
    needed = images_needed(limit, delta)
    enough = [place for place, n in enumerate(sizes) if n >= needed + 2 * math.sqrt(needed)]
    return enough[0] if enough else -1
