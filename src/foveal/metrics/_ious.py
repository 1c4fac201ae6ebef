"""Intersection over union of the areas of classes, from what pictures add up to."""

import numpy as np
from numpy.typing import NDArray

from foveal.metrics._by_units import mean_of_defined, ratio

Floats = NDArray[np.float64]


def areas(matrices: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return what each picture adds: right pixels, those of the truth, and those of either, (N, 3 · K).

    Args:
        matrices: Of `pixel_confusion` for each picture, (N, K, K).
    """
    right = np.diagonal(matrices, axis1=1, axis2=2)
    truth, given = matrices.sum(axis=2), matrices.sum(axis=1)
    return np.concatenate([right, truth, truth + given - right], axis=1)


def ious(sums: Floats) -> Floats:
    """Return the IoU of each class and the mean of those that are there, (B, K + 1)."""
    right, truth, whole = np.split(sums, 3, axis=1)
    values = np.where(truth > 0, ratio(right, whole), np.nan)
    return np.concatenate([values, mean_of_defined(values)[:, None]], axis=1)
