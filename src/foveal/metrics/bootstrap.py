"""The interval of a measured number that is no proportion: resample the images.

Source: Efron, "Better bootstrap confidence intervals", 1987 (BCa: bias-corrected and accelerated). The
acceleration is estimated by a jackknife that leaves out one of at most 200 groups of images at a time.
"""

from collections.abc import Callable, Iterator
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError
from foveal.core.random import stream
from foveal.core.types import Measured

Floats = NDArray[np.float64]
Int64 = NDArray[np.int64]
_GROUPS = 200
_CELLS = 1 << 22  # resampled images held at once
_FEW_CELLS = 1 << 18  # where they are passed over many times: they stay in the cache
_NORMAL = NormalDist()


def first_column(means: Floats) -> Floats:
    """Return the mean of the first column: the statistic of a metric that is a mean over images."""
    return means[:, 0]


def bootstrap(
    columns: NDArray[np.floating],
    statistic: Callable[[Floats], Floats] = first_column,
    *,
    draws: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Measured:
    """Return a statistic of column means with its BCa interval over images, which contains the value.

    Args:
        columns: What each image contributes, float (N,) or (N, M), N ≥ 1.
        statistic: Maps column means (D, M) to D values. Any metric that is a function of means over
            images can be written so, which lets all draws be one matrix product.
        draws: Resamples.
        seed: Equal seeds give equal intervals.
        confidence: In (0, 1).

    Raises:
        UsageError: No images, values that are not finite, or a confidence outside (0, 1).
    """
    if len(columns) == 0:
        raise UsageError("the bootstrap needs at least one image", code="empty")
    table = np.asarray(columns, dtype=np.float64).reshape(len(columns), -1)
    if not np.isfinite(table).all():
        raise UsageError("the bootstrap needs finite values; got NaN or infinity")
    if not 0 < confidence < 1:
        raise UsageError(f"confidence must be in (0, 1); got {confidence}")
    value = float(statistic(table.mean(axis=0, keepdims=True))[0])
    counted = _times(len(table), draws, seed, cells=_CELLS)
    values = np.concatenate([statistic(times @ table / len(table)) for times in counted])
    return interval(value, values, _left_out(table, statistic), n=len(table), confidence=confidence)


def bootstrap_counts(
    n: int,
    statistic: Callable[[Int64], Floats],
    *,
    draws: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> tuple[Measured, ...]:
    """Return statistics that are no functions of means, such as areas over ranks, with BCa intervals.

    Args:
        n: Images, at least 1.
        statistic: Maps how often each image is there, int64 (D, n), to S values each, float64 (D, S). A row
            has n images, or fewer where some are left out. A value that is not defined there is NaN; such a
            resample is left out of the interval of that value.
        draws: Resamples; all statistics are computed on the same.
        seed: Equal seeds give equal intervals.
        confidence: In (0, 1).

    Raises:
        UsageError: No images, or a confidence outside (0, 1).
    """
    if n < 1:
        raise UsageError("the bootstrap needs at least one image", code="empty")
    if not 0 < confidence < 1:
        raise UsageError(f"confidence must be in (0, 1); got {confidence}")
    value, values, without = resamples(n, statistic, draws=draws, seed=seed)
    return tuple(
        interval(float(value[one]), values[:, one], without[:, one], n=n, confidence=confidence)
        for one in range(len(value))
    )


def resamples(
    n: int, statistic: Callable[[Int64], Floats], *, draws: int, seed: int
) -> tuple[Floats, Floats, Floats]:
    """Return statistics of all images, (S,), of resamples, (D, S), and without each of some groups, (G, S).

    Equal n, draws and seed give equal resamples: numbers of the same images may be subtracted draw by draw.

    Args:
        n: Images, at least 1.
        statistic: As of `bootstrap_counts`.
        draws: Resamples.
        seed: Decides which.
    """
    value = statistic(np.ones((1, n), dtype=np.int64))[0]
    values = np.concatenate([statistic(times) for times in _times(n, draws, seed, cells=_FEW_CELLS)])
    groups = min(n, _GROUPS)
    kept = (np.arange(n) % groups != np.arange(groups)[:, None]).astype(np.int64)
    without = statistic(kept) if groups > 1 else np.empty((0, len(value)))
    return value, values, without


def _times(n: int, draws: int, seed: int, *, cells: int) -> Iterator[Int64]:
    """Yield how often each image is in a resample, (some, n), until there are `draws`."""
    rng = stream(seed, "bootstrap")
    at_once = max(1, cells // n)
    for start in range(0, draws, at_once):
        rows = min(at_once, draws - start)
        chosen = rng.integers(n, size=(rows, n)) + np.arange(rows)[:, None] * n
        yield np.bincount(chosen.ravel(), minlength=rows * n).reshape(rows, n)


def _left_out(table: Floats, statistic: Callable[[Floats], Floats]) -> Floats:
    """Return the statistic without each of at most 200 groups of images; of one image nothing."""
    n = len(table)
    groups = min(n, _GROUPS)
    if groups < 2:
        return np.empty(0)
    total = table.sum(axis=0)
    sums = np.stack([table[g::groups].sum(axis=0) for g in range(groups)])
    sizes = np.array([len(range(g, n, groups)) for g in range(groups)])
    return statistic((total - sums) / (n - sizes)[:, None])


def interval(value: float, values: Floats, without: Floats, *, n: int, confidence: float = 0.95) -> Measured:
    """Return a statistic with its BCa interval, which contains it.

    Args:
        value: Of all images.
        values: Of resamples, (D,); what is NaN is left out.
        without: Of all images but each of some groups, (G,).
        n: Images.
        confidence: In (0, 1).
    """
    values, without = values[~np.isnan(values)], without[~np.isnan(without)]
    low, high = np.quantile(values, _levels(values, value, _acceleration(without), confidence))
    return Measured(value, float(min(low, value)), float(max(high, value)), n, "bootstrap-bca")


def _acceleration(without: Floats) -> float:
    if len(without) == 0:
        return 0.0
    gap = without.mean() - without
    spread = (gap**2).sum()
    return float((gap**3).sum() / (6 * spread**1.5)) if spread > 0 else 0.0


def _levels(values: Floats, value: float, acceleration: float, confidence: float) -> list[float]:
    """Return the two quantiles of the draws that bound the interval (Efron 1987, equation 3.8)."""
    below = ((values < value).mean() + (values <= value).mean()) / 2
    edge = 1 / (len(values) + 1)
    bias = _NORMAL.inv_cdf(min(max(float(below), edge), 1 - edge))
    levels = []
    for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
        shifted = bias + _NORMAL.inv_cdf(tail)
        levels.append(_NORMAL.cdf(bias + shifted / max(1 - acceleration * shifted, 1e-3)))
    return levels
