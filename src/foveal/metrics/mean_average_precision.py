"""How well objects are found, over all thresholds of the score.

Source: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014: the precision, made to rise with
falling recall, is averaged over 101 recalls, then over classes and limits of the overlap. The area over all
recalls: Everingham et al., "The PASCAL Visual Object Classes Challenge: A Retrospective", IJCV 2015.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.metrics._by_units import mean_of_defined
from foveal.metrics._ranked import areas
from foveal.metrics.match import Matches

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AveragePrecisions:
    """What was measured of all limits and classes.

    Attributes:
        ious: Limits of the overlap, float64 (T,).
        per_class: At each limit for each class, float64 (T, K); NaN for one without an object.
        pooled: At each limit with the findings of all classes in one ranking, float64 (T,), NaN without any
            object. Frequent classes count more, and scores of all classes must mean the same.
    """

    ious: Floats
    per_class: Floats
    pooled: Floats

    @property
    def mean(self) -> float:
        """The mean over the classes that have objects, and over limits; NaN where no class has any."""
        return float(mean_of_defined(mean_of_defined(self.per_class)))

    @property
    def pooled_mean(self) -> float:
        """The mean of `pooled` over limits."""
        return float(mean_of_defined(self.pooled))


def mean_average_precision(matches: Matches, *, points: int | None = 101) -> AveragePrecisions:
    """Return the average precision at each limit, of each class and of all together.

    Args:
        matches: Of `match`; `matches.at(0.5)` for one limit.
        points: At how many recalls, evenly spaced from 0 to 1, precision is averaged; None: over all recalls.
    """
    once = np.ones((1, len(matches.truths)), np.int64)
    per_class = areas(matches, once, points=points, pooled=False)[0]
    return AveragePrecisions(
        matches.ious, per_class, areas(matches, once, points=points, pooled=True)[0, :, 0]
    )
