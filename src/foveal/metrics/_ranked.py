"""The area below precision over recall, for pictures that count once, several times or not at all.

A picture that counts w times adds w to the counts at the place of each of its findings. That is the area of
the ranking in which the picture is there w times: of equal findings side by side, the last has the highest
precision.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.metrics._by_units import ratio
from foveal.metrics.match import Matches

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_CELLS = 1 << 20  # findings of resamples held at once


def areas(matches: Matches, times: Ints, *, points: int | None, pooled: bool) -> Floats:
    """Return the average precision for each resample, class and limit, float64 (B, T, K).

    Args:
        matches: What was found.
        times: How often each picture counts, int64 (B, N).
        points: At how many recalls, evenly spaced from 0 to 1, the precision is averaged; None: over all.
        pooled: All classes as if they were one, whose number of classes K is then 1.

    Returns:
        NaN where a class has no object in the resample.
    """
    truths = matches.truths.sum(axis=1, keepdims=True) if pooled else matches.truths
    values = np.full((len(times), len(matches.ious), truths.shape[1]), np.nan)
    for label in range(truths.shape[1]):
        mine = np.arange(len(matches.labels)) if pooled else np.flatnonzero(matches.labels == label)
        if not truths[:, label].any():
            continue
        rows = max(1, _CELLS // max(1, len(mine)))
        for start in range(0, len(times), rows):
            part = times[start : start + rows]
            positives = part @ truths[:, label]
            values[start : start + rows, :, label] = _of_class(matches, mine, part, positives, points)
    return values


def _of_class(matches: Matches, mine: Ints, times: Ints, positives: Ints, points: int | None) -> Floats:
    weights = times.astype(np.int32)[:, matches.images[mine]]
    everything = np.cumsum(weights, axis=1, dtype=np.int32)
    values = np.empty((len(times), len(matches.ious)))
    for place in range(len(matches.ious)):
        aside, hits = matches.ignored[place, mine], np.flatnonzero(matches.right[place, mine])
        seen = np.cumsum(weights * ~aside, axis=1, dtype=np.int32) if aside.any() else everything
        values[:, place] = _area(weights[:, hits], seen[:, hits], positives.astype(np.float64), points)
    return values


def _area(hits: NDArray[np.int32], seen: NDArray[np.int32], positives: Floats, points: int | None) -> Floats:
    """Return the area of each row, (B,), NaN without positives.

    Precision falls after a hit until the next one, so nothing but hits decides.

    Args:
        hits: How often each hit counts, (B, P), the surest first.
        seen: What has been found up to and with it, (B, P).
        positives: What there is to be found, (B,).
        points: As of `areas`.
    """
    if hits.shape[1] == 0:
        return np.where(positives > 0, 0.0, np.nan)
    found = np.cumsum(hits, axis=1)
    best = np.maximum.accumulate((found / np.maximum(seen, 1))[:, ::-1], axis=1)[:, ::-1]
    if points is None:
        return ratio((hits * best).sum(axis=1), positives)
    recall = found / np.maximum(positives, 1)[:, None]
    reached = np.searchsorted(np.linspace(0, 1, points), recall.ravel(), side="right").reshape(recall.shape)
    total = best[:, 0] + (np.diff(reached, axis=1, prepend=1) * best).sum(axis=1)
    return np.where(positives > 0, total / points, np.nan)
