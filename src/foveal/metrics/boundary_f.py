"""How well the edges of areas are found: F of edge pixels that lie near an edge of the other map.

Source: Csurka, Larlus & Perronnin, "What is a good evaluation measure for semantic segmentation?", BMVC 2013;
a tolerance of 0.75 % of the diagonal is theirs. The IoU of a large area hardly changes with its edge.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.data.scene import VOID
from foveal.metrics._boundaries import diagonal, edges, near
from foveal.metrics._by_class import ByClass
from foveal.metrics._by_units import Units, mean_of_defined, ratio, resampled_sums
from foveal.metrics.pixel_confusion import UInt8, check_maps

Floats = NDArray[np.float64]
SHARE = 0.0075


def boundary_counts(
    found: UInt8, truth: UInt8, *, classes: int, share: float = SHARE, pixels: float | None = None
) -> NDArray[np.int64]:
    """Return for a picture and each class edge pixels: found near, found, true near, true, int64 (K, 4).

    An edge pixel is one that touches a pixel of another class; near are those with an edge pixel of the same
    class in the other map within the tolerance. Pixels of which nothing is said are left out of both maps.

    Args:
        found: Class of each pixel, uint8 (H, W), below K.
        truth: Alike, or 255: nothing is said.
        classes: How many there are, K.
        share: Tolerance as a share of the diagonal.
        pixels: Tolerance in pixels, instead of `share`.

    Raises:
        UsageError: The maps are not such, or the tolerance is negative.
    """
    check_maps(found, truth, classes=classes)
    radius = share * diagonal(truth.shape) if pixels is None else pixels
    if not radius >= 0:
        raise UsageError(f"a tolerance is 0 or more; got {radius}")
    seen = np.where(truth == VOID, truth, found)
    counts = np.zeros((classes, 4), np.int64)
    one, other = edges(seen), edges(truth)
    for label in np.union1d(seen[one], truth[other]):
        mine, true = one & (seen == label), other & (truth == label)
        pair = mine & near(true, radius), mine, true & near(mine, radius), true
        counts[label] = [int(mask.sum()) for mask in pair]
    return counts


def boundary_f(
    counts: NDArray[np.integer], *, units: Units = None, draws: int = 1000, seed: int = 0
) -> ByClass:
    """Return F of the edges of each class and its mean, with BCa intervals over pictures.

    Precision is the share of found edge pixels near a true one, recall that of true ones near a found one, of
    all pictures together.

    Args:
        counts: Of `boundary_counts` for each picture, (N, K, 4).
        units: What each picture belongs to, integers (N,); whole units are drawn.
        draws: Resamples.
        seed: Equal seeds give equal intervals.

    Returns:
        `n` is the number of pictures. A class without a true edge has no value and is in no mean.

    Raises:
        UsageError: There is no picture, or no true edge on any.
    """
    columns = np.asarray(counts).reshape(len(counts), counts.shape[1] * 4)
    *per_class, mean = resampled_sums(columns, _f, units=units, draws=draws, seed=seed)
    if mean is None:
        raise UsageError("a boundary F needs an edge between two classes", code="empty")
    return ByClass(mean, tuple(per_class))


def _f(sums: Floats) -> Floats:
    """Return F of each class and the mean of those that have edges, (B, K + 1)."""
    found_near, found, true_near, true = np.moveaxis(sums.reshape(len(sums), -1, 4), 2, 0)
    precision, recall = np.nan_to_num(ratio(found_near, found)), ratio(true_near, true)
    values = np.where(true > 0, np.nan_to_num(ratio(2 * precision * recall, precision + recall)), np.nan)
    return np.concatenate([values, mean_of_defined(values)[:, None]], axis=1)
