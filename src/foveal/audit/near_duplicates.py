"""Pictures that are copies of each other though their bytes differ: saved again, resized, cropped, mirrored.

Two steps, both exact products of matrices. First each picture's coarse grid (8 × 8) is compared with all
others: as it is, mirrored, and through a window in its middle. Then the few most alike are compared on a
finer grid (16 × 16) without shading, through 28 windows, so that up to 15 % may be cropped away.

A correlation alone says little: two boots look more alike than a photo and its small copy. So a pair has to
be far more alike than pictures of this set are by chance. Their distance (1 - correlation) is compared with
the distance to one of the nearest in a random sample, a picture's neighbourhood (the idea of the ratio
test: Lowe, "Distinctive image features from scale-invariant keypoints", 2004, §7.1).
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveal.audit._candidates import alike, thresholds
from foveal.audit._windows import (
    WHOLE,
    Float32,
    Window,
    directions,
    sampler,
    seen_through,
    through_all,
    without_shading,
)
from foveal.core.progress import Progress, silent
from foveal.core.random import stream
from foveal.data.dataset import UInt8

Int64 = NDArray[np.int64]
MOST_IMAGES = 200_000  # the work grows with the square: 16 times that of 50,000
SMALLEST_SIMILARITY = 0.8
LARGEST_RATIO = 0.18  # of the two distances; how it was chosen: docs/decisions/0012-statistical-check.md
SURE_SIMILARITY = 0.995  # as good as pixel for pixel, however alike the others are

_COARSE, _FINE = 8, 16
_MIDDLE: Window = (0.06, 0.88)
_SCALES: tuple[tuple[Window, ...], ...] = (
    (WHOLE,),
    *(tuple(((1 - w) * at, w) for at in (0.0, 0.5, 1.0)) for w in (0.95, 0.9, 0.85)),
)
_SHADING = 3.0  # thumbnail pixels
_BLOCK = 256
_FEWEST_SAMPLED, _MOST_SAMPLED = 64, 1024
_COPIES = 16  # of one picture, that a set may hold before they count as usual


@dataclass(frozen=True)
class Pairs:
    """Near duplicates, two by two.

    Attributes:
        first, second: Rows of the thumbnails, first < second, int64 (P,).
        similarity: Correlation of the two without shading, through the best window, float32 (P,).
    """

    first: Int64 = field(repr=False)
    second: Int64 = field(repr=False)
    similarity: Float32 = field(repr=False)

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class Cluster:
    """Pictures that are linked by pairs.

    Attributes:
        members: Their rows, ascending.
        similarity: That of the weakest pair in it.
    """

    members: tuple[int, ...]
    similarity: float


def near_duplicates(thumbnails: UInt8, *, progress: Progress = silent) -> Pairs:
    """Return the pairs of pictures that are copies of each other, up to coding, size, cropping and mirroring.

    Nearly uniform pictures are like nothing. Time and memory: about 40 s and 1.5 GB for 50,000 on two cores.

    Args:
        thumbnails: uint8 (N, 32, 32), see `Glances`.
        progress: Told a few times a second.
    """
    if len(thumbnails) < 2:
        nothing = np.empty(0, dtype=np.int64)
        return Pairs(nothing, nothing, np.empty(0, dtype=np.float32))
    grey = thumbnails.astype(np.float32)
    queries, targets = _candidates(grey, progress)
    return _verified(without_shading(grey, sigma=_SHADING), queries, targets, progress)


def clusters(pairs: Pairs) -> list[Cluster]:
    """Return the pictures that pairs link, directly or through others, the most alike first."""
    parent: dict[int, int] = {}

    def root(i: int) -> int:
        parent.setdefault(i, i)
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    couples = list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    for first, second in couples:
        parent[root(second)] = root(first)
    members: dict[int, list[int]] = defaultdict(list)
    for i in sorted(parent):
        members[root(i)].append(i)
    weakest: dict[int, float] = {}
    for (first, _), similarity in zip(couples, pairs.similarity.tolist(), strict=True):
        weakest[root(first)] = min(similarity, weakest.get(root(first), 1.0))
    found = [Cluster(tuple(rows), weakest[at]) for at, rows in members.items()]
    return sorted(found, key=lambda cluster: (-cluster.similarity, cluster.members))


def _candidates(grey: Float32, progress: Progress) -> tuple[Int64, Int64]:
    """Return ordered pairs (query, target) in both directions, sorted by query.

    A target from N on means picture target - N mirrored.
    """
    count = len(grey)
    coarse, middle = sampler(_COARSE), sampler(_COARSE, _MIDDLE)
    plain = directions(seen_through(grey, coarse, coarse).reshape(count, -1))
    mirrored = directions(seen_through(grey[:, :, ::-1], coarse, coarse).reshape(count, -1))
    inner = directions(seen_through(grey, middle, middle).reshape(count, -1))
    limits = thresholds(plain)
    codes: list[Int64] = []
    passes = ((plain, True, 0), (mirrored, True, count), (inner, False, 0))
    for number, (queries, mutual, offset) in enumerate(passes):
        for done, one, other in alike(queries, plain, limits, later_only=mutual):
            codes += [one * 2 * count + other + offset, other * 2 * count + one + offset]
            progress("comparing pictures", number * count + done, len(passes) * count)
    query, target = np.divmod(np.unique(np.concatenate(codes)), 2 * count)
    return query, target


def _verified(detail: Float32, queries: Int64, targets: Int64, progress: Progress) -> Pairs:
    count = len(detail)
    fine = sampler(_FINE)
    plain = directions(seen_through(detail, fine, fine).reshape(count, -1))
    mirrored = directions(seen_through(detail[:, :, ::-1], fine, fine).reshape(count, -1))
    both = np.concatenate([plain, mirrored])
    similarity = np.empty(len(queries), dtype=np.float32)
    begins = np.searchsorted(queries, np.arange(count + 1))
    for start in range(0, count, _BLOCK):
        windows = directions(through_all(detail[start : start + _BLOCK], _SCALES, cells=_FINE))
        for row, views in enumerate(windows, start):
            mine = slice(begins[row], begins[row + 1])
            if mine.start < mine.stop:
                similarity[mine] = (views @ both[targets[mine]].T).max(axis=0)
        progress("comparing details", min(start + _BLOCK, count), count)
    nearest = _by_chance(plain)
    others = targets % count
    distance = 1 - similarity
    usual = 1 - np.maximum(nearest[queries], nearest[others])
    near = (similarity >= SMALLEST_SIMILARITY) & (distance <= LARGEST_RATIO * usual)
    near |= similarity >= SURE_SIMILARITY
    return _once(queries[near], others[near], similarity[near])


def _by_chance(plain: Float32) -> Float32:
    """Return for each picture its correlation with one of the most alike in a random sample.

    Not with the very nearest: they may be copies, too. It is about the 16th nearest of all in small sets and
    the 64th or later in large ones, so that a picture may be there in as many copies.
    """
    count = len(plain)
    sampled = min(count, max(_FEWEST_SAMPLED, min(_MOST_SAMPLED, count // 32)))
    rows = stream(0, "by chance", count).choice(count, sampled, replace=False)
    found = np.zeros(count, dtype=np.float32)
    if sampled < 3:
        return found
    rank = min(sampled - 1, max(2, math.ceil(_COPIES * sampled / count)))
    for start in range(0, count, _BLOCK * 8):
        likeness = plain[start : start + _BLOCK * 8] @ plain[rows].T
        itself = rows[None] == np.arange(start, start + len(likeness))[:, None]
        likeness[itself] = -1
        found[start : start + len(likeness)] = np.partition(likeness, -rank, axis=1)[:, -rank]
    return found


def _once(one: Int64, other: Int64, similarity: Float32) -> Pairs:
    """Return each pair once, with its larger similarity, in order."""
    first, second = np.minimum(one, other), np.maximum(one, other)
    order = np.lexsort((-similarity, second, first))
    first, second, similarity = first[order], second[order], similarity[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(first) != 0) | (np.diff(second) != 0)
    return Pairs(first[new], second[new], similarity[new].clip(max=1.0))


def without(pairs: Pairs, together: Sequence[int] | Int64) -> Pairs:
    """Return the pairs whose two pictures belong to different units.

    Args:
        pairs: Rows of the thumbnails.
        together: For each row a number that it shares with those it is known to belong together with, (N,).
    """
    units = np.asarray(together)
    keep = units[pairs.first] != units[pairs.second]
    return Pairs(pairs.first[keep], pairs.second[keep], pairs.similarity[keep])
