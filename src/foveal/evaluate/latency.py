"""How long one picture takes each of several recognizers, timed in turn so that a busy moment hits all."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from foveal.data.dataset import UInt8
from foveal.evaluate.answers import Runs

_WARM_UP = 5
_ROUNDS = (20, 400)  # at least, at most
_SECONDS = 2.0  # for all recognizers together


class Latency(NamedTuple):
    """Milliseconds for one picture at model size, over `n` runs."""

    p50_ms: float
    p99_ms: float
    n: int


def latencies(recognizers: Sequence[Runs], pictures: Sequence[UInt8]) -> list[Latency]:
    """Return the time that one picture takes, without reading and decoding it.

    Args:
        recognizers: What is timed.
        pictures: One for each at its model's size, uint8 (1, size, size, C).
    """
    pairs = list(zip(recognizers, pictures, strict=True))
    for recognizer, picture in pairs * _WARM_UP:
        recognizer.run(picture)
    rows: list[list[float]] = []
    started = time.perf_counter()
    while len(rows) < _ROUNDS[0] or (len(rows) < _ROUNDS[1] and time.perf_counter() - started < _SECONDS):
        row = []
        for recognizer, picture in pairs:
            before = time.perf_counter()
            recognizer.run(picture)
            row.append(1000 * (time.perf_counter() - before))
        rows.append(row)
    table = np.array(rows)
    middle, late = np.quantile(table, (0.5, 0.99), axis=0)
    return [Latency(float(p50), float(p99), len(rows)) for p50, p99 in zip(middle, late, strict=True)]
