"""Precision, recall and F of what is shown, at thresholds that were chosen before.

Source: van Rijsbergen, "Information Retrieval", 1979, chapter 7.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.metrics._above import above
from foveal.metrics._by_units import Units, mean_of_defined, ratio, resampled_sums
from foveal.metrics.match import Matches

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Detected:
    """How well objects are found at one threshold.

    Attributes:
        precision: Share of what was found that is there; None where nothing was found.
        recall: Share of what is there that was found; None where nothing is there.
        f1: 2 · right / (found + there); None where nothing is there.
    """

    precision: Measured | None
    recall: Measured | None
    f1: Measured | None


@dataclass(frozen=True)
class DetectedByClass:
    """The same of all objects together, of each class, and on average.

    Attributes:
        pooled: Every object counts the same.
        mean_f1: Mean of `f1` over the classes that have objects; None where none has any.
        per_class: In class order.
    """

    pooled: Detected
    mean_f1: Measured | None
    per_class: tuple[Detected, ...]


def f1_at_threshold(
    matches: Matches,
    thresholds: NDArray[np.floating],
    *,
    units: Units = None,
    draws: int = 1000,
    seed: int = 0,
) -> DetectedByClass:
    """Return precision, recall and F1 with BCa intervals over pictures, or over groups of them.

    Args:
        matches: For one limit of the overlap.
        thresholds: Lowest score of each class, (K,), chosen on other pictures; NaN: nothing is shown.
        units: What each picture belongs to, integers (N,); whole units are drawn.
        draws: Resamples.
        seed: Equal seeds give equal intervals.

    Returns:
        `n` is the number of pictures, with objects or without. Where a share is 1 in every resample, the
        interval is a point, and too short.

    Raises:
        UsageError: There is no picture, or the arguments are not such.
    """
    counts = above(matches, thresholds)
    classes = matches.truths.shape[1]
    columns = np.concatenate([counts.right, counts.found, counts.truths], axis=1)
    found = resampled_sums(columns, lambda sums: _shares(sums, classes), units=units, draws=draws, seed=seed)
    rows = [Detected(*found[place : place + 3]) for place in range(0, 3 * (classes + 1), 3)]
    return DetectedByClass(rows[-1], found[-1], tuple(rows[:-1]))


def _shares(sums: Floats, classes: int) -> Floats:
    """Return precision, recall and F1 of each class and of all, and the mean F1, (B, 3 (K + 1) + 1)."""
    table = sums.reshape(len(sums), 3, classes)
    right, found, there = np.concatenate([table, table.sum(axis=2, keepdims=True)], axis=2).swapaxes(0, 1)
    f1 = np.where(there > 0, ratio(2 * right, found + there), np.nan)
    rows = np.stack([ratio(right, found), ratio(right, there), f1], axis=2).reshape(len(sums), -1)
    return np.concatenate([rows, mean_of_defined(f1[:, :classes])[:, None]], axis=1)
