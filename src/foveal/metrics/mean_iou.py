"""How well the areas of classes are found: intersection over union from one confusion matrix of all pixels.

Source: Everingham et al., "The PASCAL Visual Object Classes Challenge: A Retrospective", IJCV 2015, §4.2
(segmentation accuracy). The matrices of all pictures are added up before anything is divided: a mean over
pictures would be another number, which rewards classes that are missing from a picture.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.metrics._by_class import ByClass
from foveal.metrics._by_units import Units, mean_of_defined, ratio, resampled_sums

Floats = NDArray[np.float64]


def mean_iou(
    matrices: NDArray[np.integer], *, units: Units = None, draws: int = 1000, seed: int = 0
) -> ByClass:
    """Return right / (truth + found − right) of each class and its mean, with BCa intervals over pictures.

    Args:
        matrices: Of `pixel_confusion` for each picture, (N, K, K).
        units: What each picture belongs to, integers (N,); whole units are drawn.
        draws: Resamples.
        seed: Equal seeds give equal intervals.

    Returns:
        `n` is the number of pictures: pixels of one picture are not independent. A class without a pixel in
        the truth has no value; where it was found nevertheless, other classes have lost these pixels.

    Raises:
        UsageError: There is no picture, or no pixel of which anything is said.
    """
    right = np.diagonal(matrices, axis1=1, axis2=2)
    truth, given = matrices.sum(axis=2), matrices.sum(axis=1)
    columns = np.concatenate([right, truth, truth + given - right], axis=1)
    *per_class, mean = resampled_sums(columns, _ious, units=units, draws=draws, seed=seed)
    if mean is None:
        raise UsageError("a mean IoU needs a pixel of which something is said", code="empty")
    return ByClass(mean, tuple(per_class))


def _ious(sums: Floats) -> Floats:
    """Return the IoU of each class and the mean of those that are there, (B, K + 1)."""
    right, truth, whole = np.split(sums, 3, axis=1)
    values = np.where(truth > 0, ratio(right, whole), np.nan)
    return np.concatenate([values, mean_of_defined(values)[:, None]], axis=1)
