"""From which strength on a place shows a defect, where calibration pictures have masks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foveal.data.scene import VOID
from foveal.metrics._ious import areas, ious
from foveal.metrics.pixel_confusion import pixel_confusion
from foveal.tasks.defect.decode import DefectDecision, Float32, kinds_at

_THRESHOLDS = tuple(float(one) for one in np.linspace(0.1, 0.9, 17).round(2))
UNKNOWN = 0.5  # where nothing can be chosen: the more probable of two
_SHOWN_ON_GOOD = 0.05  # share of the good pictures on which something may be shown
_MOST_USUAL = 0.5  # of a threshold: above, heat would jump

UInt8 = NDArray[np.uint8]


def places_shown(maps: Float32, truth: Sequence[UInt8], good: NDArray[np.bool_]) -> DefectDecision:
    """Return the threshold, one for all kinds, with which the areas of the kinds are found best.

    That is the mean intersection over union of one matrix of all pictures. One number for all: a threshold
    for each would follow the few pictures that a rare kind has.

    Args:
        maps: Probabilities of the kinds at each place, float32 (N, K, h, w).
        truth: Class of each pixel of the N pictures at model size, uint8 (H, W), no smaller than the maps.
        good: Which pictures are good, bool (N,): what their maps reach is usual.
    """
    kinds = maps.shape[1]
    small = [_at(one, maps.shape[2:]) for one in truth]
    values = [
        _overlap(maps, small, DefectDecision(thresholds=(t,) * kinds, usual=(0.0,) * kinds, n=len(maps)))
        for t in _THRESHOLDS
    ]
    marked = any(((one > 0) & (one < VOID)).any() for one in small)
    chosen = _THRESHOLDS[int(np.argmax(values))] if marked else UNKNOWN
    reached = maps[good].max(axis=(2, 3)) if good.any() else np.zeros((1, kinds), np.float32)
    usual = np.minimum(np.median(reached, axis=0), _MOST_USUAL * chosen)
    return DefectDecision(thresholds=(chosen,) * kinds, usual=tuple(map(float, usual)), n=len(maps))


def above_good(maps: Float32) -> DefectDecision:
    """Return the threshold that at most 1 in 20 good pictures reach; where few are there, that none does.

    Args:
        maps: Probabilities of the kinds at each place of good pictures, float32 (N, K, h, w), N ≥ 1.
    """
    reached = maps.max(axis=(2, 3))
    ranks = np.sort(reached, axis=0)
    allowed = int(_SHOWN_ON_GOOD * (len(ranks) + 1))
    thresholds = np.nextafter(ranks[len(ranks) - 1 - allowed], np.float32(np.inf)).clip(min=_THRESHOLDS[0])
    usual = np.minimum(np.median(reached, axis=0), _MOST_USUAL * thresholds)
    return DefectDecision(
        thresholds=tuple(map(float, thresholds)), usual=tuple(map(float, usual)), n=len(maps)
    )


def _at(regions: UInt8, size: Sequence[int]) -> UInt8:
    """Return a class map where the middles of places are, uint8 (h, w)."""
    rows, columns = (
        ((np.arange(few) + 0.5) * side / few).astype(np.int64)
        for few, side in zip(size, regions.shape, strict=True)
    )
    small: UInt8 = regions[rows[:, None], columns]
    return small


def _overlap(maps: Float32, truth: Sequence[UInt8], decision: DefectDecision) -> float:
    classes = maps.shape[1] + 1
    found = kinds_at(decision.heat(maps))
    matrices = [
        pixel_confusion(one, stated, classes=classes) for one, stated in zip(found, truth, strict=True)
    ]
    value = float(ious(areas(np.stack(matrices)).sum(axis=0, keepdims=True))[0, -1])
    return 0.0 if np.isnan(value) else value
