"""Recognizers that say where something is, on the same pictures: which is better, and is that no chance?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.evaluate.paired import SIGNIFICANCE, Verdict
from foveal.metrics._by_units import Units, mean_of_defined
from foveal.metrics._ious import areas as columns_of
from foveal.metrics._ious import ious
from foveal.metrics._ranked import areas
from foveal.metrics.holm import holm
from foveal.metrics.match import Matches
from foveal.metrics.paired_resampling import Value, paired_resampling
from foveal.metrics.panoptic_quality import mean_quality

_POINTS = 101  # of recall, as in `mean_average_precision`
Floats = NDArray[np.float64]
Answered = TypeVar("Answered")  # what one recognizer did on all pictures


@dataclass(frozen=True)
class ScenePair:
    """Two recognizers on the same pictures.

    Attributes:
        a, b: Places of the two among all that are compared.
        n: Pictures.
        difference: What a is worth minus what b is; with more than one pair its interval is the wider one
            that holds for all pairs together (Bonferroni).
        confidence: Of that interval: 0.95 for one pair.
        p_value: Of these two alone.
        p_adjusted: With regard to all pairs that are compared (Holm).
        verdict: What `p_adjusted` below 0.05 shows.
    """

    a: int
    b: int
    n: int
    difference: Measured
    confidence: float
    p_value: float
    p_adjusted: float
    verdict: Verdict


def paired_scenes(
    answered: Sequence[Answered],
    both: Callable[[Answered, Answered], Value],
    *,
    images: int,
    units: Units = None,
    seed: int = 0,
) -> tuple[ScenePair, ...]:
    """Return the comparison of every two recognizers.

    Args:
        answered: What each did on the pictures.
        both: Makes of what two did what their answers are worth together, such as `both_map`.
        images: How many pictures.
        units: What each picture belongs to, integers (N,); whole units are drawn.
        seed: Equal seeds give equal numbers.
    """
    places = list(combinations(range(len(answered)), 2))
    confidence = 1 - SIGNIFICANCE / max(1, len(places))
    found = [
        paired_resampling(
            both(answered[a], answered[b]), images, units=units, confidence=confidence, seed=seed
        )
        for a, b in places
    ]
    adjusted = holm([one.p_value for one in found])
    return tuple(
        ScenePair(a, b, images, one.difference, confidence, one.p_value, p, _verdict(one.difference.value, p))
        for (a, b), one, p in zip(places, found, adjusted, strict=True)
    )


def _verdict(difference: float, p: float) -> Verdict:
    if p >= SIGNIFICANCE:
        return "no_difference_shown"
    return "a_better" if difference > 0 else "b_better"


def both_map(first: Matches, second: Matches) -> Value:
    """Return the mean average precision of two detectors' answers, each picture as often as is asked.

    Args:
        first: For one limit of the overlap, over N pictures.
        second: For the same limit, pictures and classes.
    """
    images = len(first.truths)
    scores = np.concatenate([first.scores, second.scores])
    order = np.argsort(-scores, kind="stable")
    whole = Matches(
        ious=first.ious,
        scores=scores[order],
        labels=np.concatenate([first.labels, second.labels])[order],
        images=np.concatenate([first.images, second.images + images])[order],
        right=np.concatenate([first.right, second.right], axis=1)[:, order],
        ignored=np.concatenate([first.ignored, second.ignored], axis=1)[:, order],
        truths=np.concatenate([first.truths, second.truths]),
    )
    return value_of_matches(whole)


def value_of_matches(matches: Matches) -> Value:
    """Return the mean average precision of matches for one limit, each picture as often as is asked."""
    return lambda times: mean_of_defined(areas(matches, times, points=_POINTS, pooled=False)[:, 0])


def both_miou(first: NDArray[np.integer], second: NDArray[np.integer]) -> Value:
    """Return the mean intersection over union of two segmenters' answers, as `both_map` does.

    Args:
        first: Of `pixel_confusion` for each picture, (N, K, K).
        second: For the same pictures and classes.
    """
    return value_of_matrices(np.concatenate([first, second]))


def value_of_matrices(matrices: NDArray[np.integer]) -> Value:
    """Return the mean intersection over union of matrices (N, K, K), each picture as often as is asked."""
    columns = columns_of(matrices).astype(np.float64)
    return lambda times: ious(times @ columns)[:, -1]


def both_pq(first: Floats, second: Floats) -> Value:
    """Return the mean panoptic quality of two recognizers' answers, as `both_map` does.

    Args:
        first: Of `panoptic_counts` for each picture, (N, K, 4).
        second: For the same pictures and classes.
    """
    return value_of_segments(np.concatenate([first, second]))


def value_of_segments(counts: Floats) -> Value:
    """Return the mean panoptic quality of counts (N, K, 4), each picture as often as is asked."""
    columns = counts.reshape(len(counts), -1)
    return lambda times: mean_quality((times @ columns).reshape(len(times), *counts.shape[1:]))
