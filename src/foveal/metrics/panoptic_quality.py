"""How well a picture is divided into things and stuff.

Source: Kirillov et al., "Panoptic Segmentation", CVPR 2019: a found segment is right if it is of the class of
a true one and their IoU is above 0.5, which no two can be. PQ = Σ IoU / (right + wrong / 2 + missed / 2) is
SQ, the mean IoU of what is right, times RQ, an F1. https://arxiv.org/abs/1801.00868
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.data.scene import VOID
from foveal.metrics._by_units import Units, mean_of_defined, ratio, resampled_sums
from foveal.metrics._segments import Segments

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Qualities:
    """Of one class, or means over classes; None where there is nothing true and nothing found.

    Attributes:
        pq: Panoptic quality.
        sq: Mean IoU of right segments; 0 where none is right.
        rq: 2 · right / (found + there). A mean PQ is not the product of the other two means.
    """

    pq: Measured | None
    sq: Measured | None
    rq: Measured | None


@dataclass(frozen=True)
class PanopticQuality:
    """What was measured.

    Attributes:
        all, things, stuff: Means over classes.
        per_class: In class order.
    """

    all: Qualities
    things: Qualities
    stuff: Qualities
    per_class: tuple[Qualities, ...]


def panoptic_counts(found: Segments, truth: Segments, *, things: Bools) -> Floats:
    """Return for one picture and each class Σ IoU of right segments, right, wrong and missed, (K, 4).

    Pixels of which nothing is said count in no union. What was found and is not right is wrong unless more
    than half of it lies there, or in crowds of its class.

    Args:
        found: What was answered; 255 for no answer.
        truth: What is there; 255 where nothing is said.
        things: Which classes are things, bool (K,); the others are stuff.

    Raises:
        UsageError: The sizes differ, or there is a class that is not in [0, K).
    """
    if found.regions.shape != truth.regions.shape:
        raise UsageError(f"sizes differ: {found.regions.shape} and {truth.regions.shape}")
    (mine, place), (true, where) = found.listed(things), truth.listed(things)
    cells = np.bincount(place * len(true.labels) + where, minlength=len(mine.labels) * len(true.labels))
    common = cells.reshape(len(mine.labels), len(true.labels)).astype(np.float64)
    answered, said = mine.labels != VOID, true.labels != VOID
    unsaid = common[:, ~said].sum(axis=1)
    union = common.sum(axis=1)[:, None] + common.sum(axis=0) - common - unsaid[:, None]
    alike = (mine.labels[:, None] == true.labels) & answered[:, None] & said
    iou = np.where(alike & ~true.crowd, ratio(common, union), 0.0)
    right = iou > 0.5
    excused = unsaid + np.where(alike & true.crowd, common, 0).sum(axis=1)
    wrong = answered & ~right.any(axis=1) & (excused <= common.sum(axis=1) / 2)
    missed = said & ~true.crowd & ~right.any(axis=0)
    counts = np.zeros((len(things), 4))
    np.add.at(counts, true.labels[right.any(axis=0)], [0, 1, 0, 0])
    np.add.at(counts[:, 0], true.labels[said], np.where(right, iou, 0).sum(axis=0)[said])
    np.add.at(counts, mine.labels[wrong], [0, 0, 1, 0])
    np.add.at(counts, true.labels[missed], [0, 0, 0, 1])
    return counts


def panoptic_quality(
    counts: Floats, *, things: Bools, units: Units = None, draws: int = 1000, seed: int = 0
) -> PanopticQuality:
    """Return PQ, SQ and RQ of each class, and means over all, things and stuff, with BCa intervals.

    Args:
        counts: Of `panoptic_counts` for each picture, (N, K, 4); added up before anything is divided.
        things: Which classes are things, bool (K,).
        units: What each picture belongs to, integers (N,); whole units are drawn.
        draws: Resamples.
        seed: Equal seeds give equal intervals.

    Returns:
        `n` is the number of pictures. A class that is neither there nor found is in no mean; one that was
        only found is, with 0.

    Raises:
        UsageError: There is no picture, or not K classes.
    """
    if counts.ndim != 3 or counts.shape[1:] != (len(things), 4):
        raise UsageError(f"need counts (N, {len(things)}, 4); got {counts.shape}")
    columns = counts.reshape(len(counts), -1)
    values = resampled_sums(
        columns, lambda sums: _qualities(sums, things), units=units, draws=draws, seed=seed
    )
    rows = [Qualities(*values[place : place + 3]) for place in range(0, len(values), 3)]
    everything, of_things, of_stuff, *per_class = rows
    return PanopticQuality(everything, of_things, of_stuff, tuple(per_class))


def mean_quality(sums: Floats) -> Floats:
    """Return the mean PQ over classes of sums of counts, (B, K, 4) to (B,); NaN where nothing is."""
    flat = sums.reshape(len(sums), -1)
    return _qualities(flat, np.zeros(sums.shape[1], np.bool_))[:, 0]


def _qualities(sums: Floats, things: Bools) -> Floats:
    """Return PQ, SQ and RQ of all, things, stuff and each class, (B, 3 (3 + K))."""
    total, right, wrong, missed = np.moveaxis(sums.reshape(len(sums), -1, 4), 2, 0)
    weight = right + wrong / 2 + missed / 2
    sq = np.where(weight > 0, np.nan_to_num(ratio(total, right)), np.nan)
    each = np.stack([ratio(total, weight), sq, ratio(right, weight)], axis=1)
    means = [mean_of_defined(each[:, :, chosen]) for chosen in (np.ones_like(things), things, ~things)]
    return np.concatenate([*means, np.moveaxis(each, 2, 1).reshape(len(sums), -1)], axis=1)
