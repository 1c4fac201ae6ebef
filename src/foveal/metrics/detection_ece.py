"""Whether a score of 0.8 means that 8 of 10 such findings are there.

Source: Küppers et al., "Multivariate Confidence Calibration for Object Detection", CVPR workshops 2020:
findings that match an object are right, and scores are compared with precision. What was missed has no score:
calibration says nothing of recall. https://arxiv.org/abs/2004.13546
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.metrics.debiased_ece import squared_gap
from foveal.metrics.ece import BINS, bin_of
from foveal.metrics.match import Matches


@dataclass(frozen=True)
class ScoreCalibration:
    """How far scores are from shares.

    Attributes:
        ece: Σ over bins of equal width (n_bin / n) |share of right findings − mean score|. Biased upwards.
        debiased: The root of the squared error in bins of equal mass without what chance adds; 0 where chance
            explains all. Findings on one picture belong together, so chance may add more than that.
        score: Mean score.
        precision: Share of right ones; a score above it promises too much.
        n: Findings.
    """

    ece: float
    debiased: float
    score: float
    precision: float
    n: int


@dataclass(frozen=True)
class DetectionCalibration:
    """The same of all findings together and of each class; None where nothing was found."""

    pooled: ScoreCalibration | None
    per_class: tuple[ScoreCalibration | None, ...]


def detection_ece(matches: Matches, *, above: float = 0.0, bins: int = BINS) -> DetectionCalibration:
    """Return how far the scores of findings are from the share of them that is right.

    Args:
        matches: For one limit of the overlap, mostly 0.5.
        above: Findings with this score or less are left out: most are noise, or fill up a fixed number.
        bins: How many.

    Raises:
        UsageError: There are several limits, or scores outside [0, 1].
    """
    right, ignored = matches.only()
    if len(matches.scores) and not 0 <= matches.scores.min() <= matches.scores.max() <= 1:
        raise UsageError("calibration needs scores in [0, 1]; got others", hint="apply a sigmoid or softmax")
    kept = ~ignored & (matches.scores > above)
    classes = matches.truths.shape[1]
    return DetectionCalibration(
        _measured(matches.scores[kept], right[kept], bins),
        tuple(
            _measured(matches.scores[mine], right[mine], bins)
            for mine in (kept & (matches.labels == label) for label in range(classes))
        ),
    )


def _measured(scores: NDArray[np.float64], right: NDArray[np.bool_], bins: int) -> ScoreCalibration | None:
    if len(scores) == 0:
        return None
    gaps = np.bincount(bin_of(scores, bins), weights=right - scores, minlength=bins)
    return ScoreCalibration(
        ece=float(np.abs(gaps).sum() / len(scores)),
        debiased=float(np.sqrt(max(squared_gap(scores, right, bins=bins), 0.0))),
        score=float(scores.mean()),
        precision=float(right.mean()),
        n=len(scores),
    )
