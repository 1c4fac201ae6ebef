"""Intervals by resampling pictures, or whole groups of pictures that belong together."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.metrics.bootstrap import bootstrap_counts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Units = NDArray[np.integer] | None
"""What each picture belongs to, integers (N,); None: each stands for itself."""


def resampled(
    images: int,
    statistic: Callable[[Ints], Floats],
    *,
    units: Units,
    draws: int,
    seed: int,
    confidence: float = 0.95,
) -> tuple[Measured | None, ...]:
    """Return statistics with BCa intervals; None for one that is not defined for all pictures.

    Args:
        images: How many pictures there are, N.
        statistic: Maps how often each picture is there, int64 (B, N), to S values, float64 (B, S), NaN where
            one is not defined.
        units: What is drawn.
        draws: Resamples.
        seed: Equal seeds give equal intervals.
        confidence: Of the intervals, in (0, 1).

    Returns:
        `n` is the number of pictures; the method ends in `-clustered` where units were given.

    Raises:
        UsageError: There is no picture, or not one unit for each.
    """
    if units is not None and np.shape(units) != (images,):
        raise UsageError(f"need one unit for each of {images} pictures; got shape {np.shape(units)}")
    if images == 0:
        raise UsageError("the bootstrap needs at least one image", code="empty")
    place = np.arange(images) if units is None else np.unique(units, return_inverse=True)[1]
    values = statistic(np.ones((1, images), np.int64))[0]
    there = np.flatnonzero(~np.isnan(values))
    found: list[Measured | None] = [None] * len(values)
    if len(there) == 0:
        return tuple(found)
    intervals = bootstrap_counts(
        int(place.max()) + 1,
        lambda times: statistic(times[:, place])[:, there],
        draws=draws,
        seed=seed,
        confidence=confidence,
    )
    method = "bootstrap-bca" if units is None else "bootstrap-bca-clustered"
    for index, one in zip(there.tolist(), intervals, strict=True):
        found[index] = replace(one, n=images, method=method)
    return tuple(found)


def resampled_sums(
    columns: NDArray[np.number], statistic: Callable[[Floats], Floats], *, units: Units, draws: int, seed: int
) -> tuple[Measured | None, ...]:
    """Return the same for statistics of sums over pictures.

    Args:
        columns: What each picture adds, (N, M).
        statistic: Maps sums (B, M) to S values, float64 (B, S).
        units: What is drawn.
        draws: Resamples.
        seed: Equal seeds give equal intervals.

    Raises:
        UsageError: As above.
    """
    table = np.asarray(columns, np.float64)
    return resampled(len(table), lambda times: statistic(times @ table), units=units, draws=draws, seed=seed)


def ratio(above: Floats, below: Floats) -> Floats:
    """Return above / below, NaN where nothing is below."""
    out = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=out, where=below > 0)
    return out


def mean_of_defined(values: Floats) -> Floats:
    """Return the mean over the last axis of what is not NaN; NaN where all is."""
    there = ~np.isnan(values)
    return ratio(np.where(there, values, 0.0).sum(axis=-1), there.sum(axis=-1))
