"""How well the areas of classes are found: intersection over union from one confusion matrix of all pixels.

Source: Everingham et al., "The PASCAL Visual Object Classes Challenge: A Retrospective", IJCV 2015, §4.2
(segmentation accuracy). The matrices of all pictures are added up before anything is divided: a mean over
pictures would be another number, which rewards classes that are missing from a picture.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.metrics._by_class import ByClass
from foveal.metrics._by_units import Units, resampled_sums
from foveal.metrics._ious import areas, ious


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
    *per_class, mean = resampled_sums(areas(matrices), ious, units=units, draws=draws, seed=seed)
    if mean is None:
        raise UsageError("a mean IoU needs a pixel of which something is said", code="empty")
    return ByClass(mean, tuple(per_class))
