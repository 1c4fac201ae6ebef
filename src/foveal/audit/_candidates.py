"""For each picture the few others that look most like it, found with exact products, block by block."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from foveal.audit._windows import Float32
from foveal.core.random import stream

Int64 = NDArray[np.int64]
WANTED = 12  # candidates a picture has on average, before the best are kept
_KEPT = 8
_SAMPLE = 8192  # pictures against which the threshold of a picture is set
_BLOCK = 512  # rows of the matrix of all correlations that exist at once
_LOWEST, _HIGHEST = 0.5, 0.99  # limits of a threshold: below it nobody looks, above it everybody does


def thresholds(directions: Float32) -> Float32:
    """Return for each picture the correlation that about `WANTED` others exceed, float32 (N,).

    Of more than 16,384 pictures a fixed random sample stands for all.
    """
    count = len(directions)
    rows = np.arange(count)
    if count > 2 * _SAMPLE:
        rows = np.sort(stream(0, "near duplicates", count).choice(count, _SAMPLE, replace=False))
    rank = min(len(rows), max(2, round(WANTED * len(rows) / count)) + 1)  # one more: itself may be among them
    found = np.empty(count, dtype=np.float32)
    for start in range(0, count, _BLOCK):
        likeness = directions[start : start + _BLOCK] @ directions[rows].T
        found[start : start + _BLOCK] = np.partition(likeness, -rank, axis=1)[:, -rank]
    return found.clip(_LOWEST, _HIGHEST)


def alike(
    queries: Float32, targets: Float32, limits: Float32, *, later_only: bool
) -> Iterator[tuple[int, Int64, Int64]]:
    """Yield, block by block, which pictures look like which.

    Args:
        queries: How each picture is looked for, (N, d), length 1.
        targets: How each picture is, (N, d), length 1.
        limits: Correlation that a target has to exceed, (N,).
        later_only: Look only at targets behind the query; enough where likeness is mutual.

    Yields:
        How many queries are done, the queries and the targets of this block; of each query at most 8.
    """
    count = len(queries)
    for start in range(0, count, _BLOCK):
        end = min(start + _BLOCK, count)
        first = start if later_only else 0
        likeness = queries[start:end] @ targets[first:].T
        own = np.arange(start, end) - first
        if later_only:
            triangle = np.tril_indices(end - start)
            likeness[triangle] = -1
        else:
            likeness[np.arange(end - start), own] = -1
        places = np.flatnonzero(likeness > limits[start:end, None])
        rows, columns = np.divmod(places, likeness.shape[1])
        best = _best_of_each(rows, likeness.ravel()[places])
        yield end, rows[best] + start, columns[best] + first


def _best_of_each(rows: Int64, likeness: Float32) -> Int64:
    """Return the places of the 8 largest values of each row."""
    order = np.lexsort((-likeness, rows))
    ordered = rows[order]
    begins = np.flatnonzero(np.diff(ordered, prepend=-1))
    rank = np.arange(len(order)) - np.repeat(begins, np.diff(begins, append=len(order)))
    return np.asarray(order[rank < _KEPT])
