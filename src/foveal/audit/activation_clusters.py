"""Classes whose features fall into a large heap and a small one, as those of a poisoned class do.

Source: Chen et al., "Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering", 2018
(https://arxiv.org/abs/1811.03728), §4: the features of a class are reduced to ten dimensions (here principal
components) and split by 2-means; poison shows by the size of a cluster and the silhouette. 2-means splits any
heap, so that a cluster counts here only if it also lies outside the bulk of the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveal.audit._principal import principal
from foveal.audit.tails import FEWEST, bulk

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
Float64 = NDArray[np.float64]
_DIMENSIONS = 10
_SMALL = 0.35  # the paper expects no more poison in a class (§5.3)
_APART = 0.5  # "a reasonable structure": Kaufman & Rousseeuw, "Finding Groups in Data", 1990, table 4
_SEVERAL = 3  # one odd picture is no cluster
_ROUNDS = 100
_AT_ONCE = 512  # rows of the matrix of distances that exist at once


@dataclass(frozen=True)
class Cluster:
    """The smaller of the two clusters of a class.

    Attributes:
        label: The class.
        rows: Its pictures, int64 (M,).
        share: Of the pictures of the class, in (0, 0.5].
        silhouette: Mean over the class, -1 to 1: how much nearer pictures are to their own cluster.
        distance: How far out its median picture lies on the line through both centres, as a multiple of
            where the bulk of the larger cluster ends.
    """

    label: int
    rows: Int64 = field(repr=False)
    share: float
    silhouette: float
    distance: float

    @property
    def flagged(self) -> bool:
        """Whether it is small, well separated and outside."""
        several = len(self.rows) >= _SEVERAL and self.share <= _SMALL
        return several and self.silhouette >= _APART and self.distance > 1


def activation_clusters(features: NDArray[np.floating], labels: Int64) -> list[Cluster]:
    """Return the smaller cluster of each class of at least 20 pictures, rising by class.

    Null: the features of every class are one heap, with tails no heavier than exponential along the line;
    then any cluster is flagged with a chance below 1 %, since half of its pictures must lie outside
    (`tails`). A natural subgroup lies apart, too.

    Args:
        features: What the network decides from, float (N, D).
        labels: The classes, int64 (N,).
    """
    names, counts = np.unique(labels, return_counts=True)
    judged = names[counts >= FEWEST].tolist()
    found = []
    for label in judged:
        rows = np.flatnonzero(labels == label)
        points = principal(features[rows], most=_DIMENSIONS)
        small = two_means(points)
        if not small.any():  # all pictures have the same features
            continue
        along = points @ (points[small].mean(axis=0) - points[~small].mean(axis=0))
        distance = float(np.median(bulk(along[~small], heaps=len(judged)).distances(along[small])))
        found.append(Cluster(label, rows[small], float(small.mean()), silhouette(points, small), distance))
    return found


def two_means(points: Float64) -> Bool:
    """Return which points are in the smaller of two clusters, bool (N,); none where all are the same.

    Lloyd's method from one start per dimension, half way between its ends, where a small far cluster is cut
    off at once; the tightest result is kept. Nothing is drawn.

    Args:
        points: float64 (N, D).
    """
    best, least = np.zeros(len(points), dtype=np.bool_), np.inf
    for part in _starts(points):
        part = _settled(points, part)
        spread = sum(((one - one.mean(axis=0)) ** 2).sum() for one in (points[part], points[~part]))
        if spread < least:
            best, least = part, spread
    return best if best.mean() <= 0.5 else ~best


def _starts(points: Float64) -> Iterator[Bool]:
    for column in points.T:
        if column.min() < column.max():
            yield column > (column.min() + column.max()) / 2


def _settled(points: Float64, part: Bool) -> Bool:
    """Return the two clusters that Lloyd's method ends with; neither gets empty."""
    for _ in range(_ROUNDS):
        here, there = points[part].mean(axis=0), points[~part].mean(axis=0)
        nearer = ((points - here) ** 2).sum(axis=1) < ((points - there) ** 2).sum(axis=1)
        if np.array_equal(nearer, part) or nearer.all() or not nearer.any():
            break
        part = nearer
    return part


def silhouette(points: Float64, small: Bool) -> float:
    """Return the mean silhouette of two clusters, -1 to 1; a point alone in its cluster has 0.

    Source: Rousseeuw, "Silhouettes", 1987, eq. 1.

    Args:
        points: float64 (N, D).
        small: Which are in one of the clusters, neither of which is empty, bool (N,).
    """
    sizes, squares, total = (int(small.sum()), int((~small).sum())), (points**2).sum(axis=1), 0.0
    for start in range(0, len(points), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        products = squares[part, None] + squares - 2 * points[part] @ points.T
        distances = np.sqrt(products.clip(min=0))
        distances[np.arange(len(distances)), np.arange(start, start + len(distances))] = 0  # not by rounding
        first, second = distances[:, small].sum(axis=1), distances[:, ~small].sum(axis=1)
        mine, size = small[part], np.where(small[part], *sizes)
        own = np.where(mine, first, second) / np.maximum(size - 1, 1)
        other = np.where(mine, second, first) / np.where(mine, *sizes[::-1])
        longer = np.maximum(own, other)
        usable = (size > 1) & (longer > 0)
        total += float(((other - own)[usable] / longer[usable]).sum())
    return total / len(points)
