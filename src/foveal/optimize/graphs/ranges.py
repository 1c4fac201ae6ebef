"""What values the tensors of a graph take over pictures, and which part of them integers should span."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from foveal.bundle.session import UInt8
from foveal.core.machine import usable_cpus
from foveal.export.unknown import feeds
from foveal.optimize.graphs.engine import session

Method = Literal["minmax", "percentile", "entropy"]
Range = tuple[float, float]

_BINS = 4096
_LEVELS = 256  # of an 8-bit number
_STEP = 32  # bins between two thresholds that entropy tries
_PERCENT = 99.99
_PIXELS = 2**17  # of a batch: all tensors of it are in memory at once


@dataclass(frozen=True)
class Values:
    """A tensor's values.

    Attributes:
        low: The smallest one.
        high: The largest one.
        counts: How many lie in each of `_BINS` equal parts of [low, high], int64.
    """

    low: float
    high: float
    counts: NDArray[np.int64]


def observed(model: bytes, names: Iterable[str], pictures: UInt8) -> dict[str, Values]:
    """Return what values float tensors take; the pictures run through the graph twice.

    Args:
        model: An ONNX graph with the input `images`.
        names: Of tensors in it.
        pictures: uint8 (M, H, W, C), or whole clips (M, T, H, W, C), M ≥ 1.
    """
    names = list(dict.fromkeys(names))
    if not names:
        return {}
    ends = dict.fromkeys(names, (np.inf, -np.inf))
    for seen in _runs(model, names, pictures):
        for name, array in seen.items():
            low, high = ends[name]
            ends[name] = (min(low, float(array.min())), max(high, float(array.max())))
    counts = {name: np.zeros(_BINS, np.int64) for name in names}
    for seen in _runs(model, names, pictures):
        for name, array in seen.items():
            counts[name] += _histogram(array, *ends[name])
    return {name: Values(*ends[name], counts[name]) for name in names}


def spans(values: dict[str, Values], method: Method) -> dict[str, Range]:
    """Return lower and upper end of what integers span; 0 always lies inside, for padding is 0.

    Args:
        values: Of `observed`.
        method: `minmax`: all that was seen. `percentile`: without the outermost 0.005 % at each end.
            `entropy`: the threshold whose 8-bit histogram is nearest to the float one (Migacz, "8-bit
            Inference with TensorRT", 2017).
    """
    return {name: _METHODS[method](seen) for name, seen in values.items()}


def _minmax(seen: Values) -> Range:
    return min(seen.low, 0.0), max(seen.high, 0.0)


def _percentile(seen: Values) -> Range:
    edges = np.linspace(seen.low, seen.high, _BINS + 1)
    share = np.cumsum(seen.counts) / seen.counts.sum()
    cut = (1 - _PERCENT / 100) / 2
    first = int(np.searchsorted(share, cut, side="right"))
    last = int(np.searchsorted(share, 1 - cut))
    return min(float(edges[first]), 0.0), max(float(edges[min(last + 1, _BINS)]), 0.0)


def _entropy(seen: Values) -> Range:
    low, high = _minmax(seen)
    magnitude, largest = _magnitudes(seen)
    magnitude[0] = magnitude[1]  # every grid holds 0 exactly: a ReLU's many zeros say nothing about it
    levels = _LEVELS if low == 0.0 or high == 0.0 else _LEVELS // 2
    tried = np.arange(levels, _BINS + 1, _STEP)
    costs = [_lost(magnitude, int(kept), levels) for kept in tried]
    threshold = float(largest * tried[int(np.argmin(costs))] / _BINS)
    return max(low, -threshold), min(high, threshold)


_METHODS: dict[Method, Callable[[Values], Range]] = {
    "minmax": _minmax,
    "percentile": _percentile,
    "entropy": _entropy,
}


def _magnitudes(seen: Values) -> tuple[NDArray[np.float64], float]:
    """Return how many absolute values lie in each of `_BINS` parts of [0, largest], and the largest."""
    largest = max(abs(seen.low), abs(seen.high))
    width = (seen.high - seen.low) / _BINS
    centers = np.abs(seen.low + width * (np.arange(_BINS) + 0.5))
    place = np.minimum((centers / max(largest, 1e-30) * _BINS).astype(np.int64), _BINS - 1)
    summed = np.bincount(place, weights=seen.counts, minlength=_BINS).astype(np.float64)
    return summed, largest


def _lost(counts: NDArray[np.float64], kept: int, levels: int) -> float:
    """Return KL(P ‖ Q) in nats: P clips at a threshold, Q also has as many levels as an integer."""
    clipped = counts[:kept].copy()
    if not clipped.any():
        return np.inf
    starts = np.linspace(0, kept, levels, endpoint=False).astype(np.int64)
    sizes = np.diff([*starts, kept])
    filled = clipped > 0
    share = np.add.reduceat(clipped, starts) / np.maximum(np.add.reduceat(filled, starts, dtype=np.int64), 1)
    coarse = np.repeat(share, sizes) * filled
    clipped[-1] += counts[kept:].sum()
    p, q = clipped / clipped.sum(), (coarse + 1e-9) / (coarse + 1e-9).sum()
    return float((p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum())


def _histogram(array: NDArray[np.float32], low: float, high: float) -> NDArray[np.int64]:
    if high <= low:
        counts = np.zeros(_BINS, np.int64)
        counts[0] = array.size
        return counts
    places = ((array.reshape(-1) - np.float32(low)) * np.float32(_BINS / (high - low))).astype(np.int32)
    np.clip(places, 0, _BINS - 1, out=places)
    return np.bincount(places, minlength=_BINS)


def _runs(model: bytes, names: list[str], pictures: UInt8) -> Iterator[dict[str, Any]]:
    """Yield the tensors' arrays, batch after batch."""
    loaded = onnx.load_from_string(model)
    del loaded.graph.output[:]
    loaded.graph.output.extend(helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in names)
    running = session(loaded.SerializeToString(), threads=usable_cpus())
    batch = max(1, _PIXELS // math.prod(pictures.shape[1:-1]))
    for start in range(0, len(pictures), batch):
        part = np.ascontiguousarray(pictures[start : start + batch])
        yield dict(zip(names, running.run(names, feeds(running, part)), strict=True))
