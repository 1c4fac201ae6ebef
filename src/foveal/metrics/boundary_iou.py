"""Intersection over union of what lies along edges: large areas do not hide how they end.

Source: Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation", CVPR 2021:
|(Gd ∩ G) ∩ (Pd ∩ P)| / |(Gd ∩ G) ∪ (Pd ∩ P)|, where Gd is what lies within d of the contour of G; d is 2 % of
the diagonal. https://arxiv.org/abs/2103.16562
"""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.data.scene import VOID
from foveal.metrics._boundaries import diagonal, inner_band
from foveal.metrics._by_class import ByClass
from foveal.metrics._by_units import Units, mean_of_defined, ratio, resampled_sums
from foveal.metrics.pixel_confusion import UInt8, check_maps

Floats = NDArray[np.float64]
SHARE = 0.02


def band_counts(found: UInt8, truth: UInt8, *, classes: int, share: float = SHARE) -> NDArray[np.int64]:
    """Return for one picture and each class pixels of the bands: common, of either, true, int64 (K, 3).

    The band of a class is what of it lies within d pixels of its contour, where d is `share` of the diagonal,
    rounded, at least 1; the border of the picture is a contour. Pixels of which nothing is said are left out.

    Args:
        found: Class of each pixel, uint8 (H, W), below K.
        truth: Alike, or 255: nothing is said.
        classes: How many there are, K.
        share: Width of the band as a share of the diagonal.

    Raises:
        UsageError: The maps are not such, or the share is not above 0.
    """
    check_maps(found, truth, classes=classes)
    if not share > 0:
        raise UsageError(f"the width of a band is above 0; got a share of {share}")
    width = max(1, round(share * diagonal(truth.shape)))
    seen = np.where(truth == VOID, truth, found)
    counts = np.zeros((classes, 3), np.int64)
    for label in np.setdiff1d(np.union1d(seen, truth), [VOID]):
        mine, true = inner_band(seen == label, width), inner_band(truth == label, width)
        counts[label] = (mine & true).sum(), (mine | true).sum(), true.sum()
    return counts


def boundary_iou(
    counts: NDArray[np.integer], *, units: Units = None, draws: int = 1000, seed: int = 0
) -> ByClass:
    """Return the boundary IoU of each class and its mean, with BCa intervals over pictures.

    Args:
        counts: Of `band_counts` for each picture, (N, K, 3); added up before anything is divided.
        units: What each picture belongs to, integers (N,); whole units are drawn.
        draws: Resamples.
        seed: Equal seeds give equal intervals.

    Returns:
        `n` is the number of pictures. A class that is not in the truth has no value and is in no mean.

    Raises:
        UsageError: There is no picture, or no pixel of which anything is said.
    """
    columns = np.asarray(counts).reshape(len(counts), counts.shape[1] * 3)
    *per_class, mean = resampled_sums(columns, _ious, units=units, draws=draws, seed=seed)
    if mean is None:
        raise UsageError("a boundary IoU needs a pixel of which something is said", code="empty")
    return ByClass(mean, tuple(per_class))


def _ious(sums: Floats) -> Floats:
    """Return the value of each class and the mean of those that are there, (B, K + 1)."""
    common, either, true = np.moveaxis(sums.reshape(len(sums), -1, 3), 2, 0)
    values = np.where(true > 0, ratio(common, either), np.nan)
    return np.concatenate([values, mean_of_defined(values)[:, None]], axis=1)
