"""How many bytes a second this machine moves, from each of its caches and from memory.

A copy, as in STREAM (McCalpin, "Memory Bandwidth and Machine Balance in Current High Performance Computers",
1995): bytes read and bytes written both count, what a cache fetches before it is overwritten does not.
Copies of ever larger sets are timed; a set that a cache just holds runs at that cache's speed.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from foveal.core.caches import Cache
from foveal.core.limits import memory

SMALLEST, LARGEST = 16 << 10, 256 << 20  # bytes
_LINE = (
    64  # bytes: by so much each pass moves on, since numpy would turn passes over the very same place round
)
_TURN_SECONDS = 4e-3
_FIRST_GUESS = 30e9  # bytes a second: how many passes fill a turn
_TURNS = 9
_MEMORY_SHARE = 8  # at most this part of the available memory is touched

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Moved:
    """What was measured of one size.

    Attributes:
        threads: That copy at once, each a set of its own.
        set_bytes: What all of them touch together, source and target.
        bytes_per_second: Of all together, in the best turn.
        spread: By which share the median turn took longer.
        n: Turns.
    """

    threads: int
    set_bytes: int
    bytes_per_second: float
    spread: float
    n: int


@dataclass(frozen=True)
class Level:
    """The plateau of one cache, or of memory.

    Attributes:
        name: `L1`, `L2` …, `memory`.
        threads: That copy at once.
        capacity_bytes: What the threads have of it together; None: memory.
        bytes_per_second: The fastest set that is too large for the level before.
        spread: By which share the median turn took longer.
    """

    name: str
    threads: int
    capacity_bytes: int | None
    bytes_per_second: float
    spread: float


def sweep(threads: int) -> tuple[Moved, ...]:
    """Return the speed of copies of 16 kB each thread, twice that, and so on to 256 MB of all together.

    Where little memory is available, the largest are left out.

    Args:
        threads: That copy at once, each a set of its own.
    """
    available = memory().available
    most = LARGEST if available is None else min(LARGEST, available // _MEMORY_SHARE)
    sizes = [SMALLEST << power for power in range(64) if (SMALLEST << power) * threads <= most]
    with ThreadPoolExecutor(threads, thread_name_prefix="foveal-bandwidth") as pool:
        return tuple(_moved(size, threads, pool) for size in sizes or [SMALLEST])


def levels(moved: Sequence[Moved], caches: Sequence[Cache]) -> tuple[Level, ...]:
    """Return the plateaus of a sweep: that of each cache some set fits, then that of memory.

    Args:
        moved: Of one number of threads, in the order of size.
        caches: Of the machine, the nearest first; where none are known, all there is is memory.
    """
    found = []
    below, threads = 0, moved[0].threads
    for cache in caches:
        capacity = cache.size_bytes * -(-threads // cache.shared_by)
        fitting = [one for one in moved if below < one.set_bytes <= capacity]
        if fitting:
            best = max(fitting, key=lambda one: one.bytes_per_second)
            name = f"L{cache.level}"
            found.append(Level(name, threads, capacity, best.bytes_per_second, best.spread))
        below = max(below, capacity)
    beyond = [one for one in moved if one.set_bytes >= 4 * below] or [moved[-1]]
    best = max(beyond, key=lambda one: one.bytes_per_second)
    return (*found, Level("memory", threads, None, best.bytes_per_second, best.spread))


def _moved(size: int, threads: int, pool: ThreadPoolExecutor) -> Moved:
    passes = max(1, int(_TURN_SECONDS * _FIRST_GUESS / size))
    pairs = [(_passes(size // 2, passes), _passes(size // 2, passes)) for _ in range(threads)]
    seconds = []
    for _ in range(_TURNS):
        start = time.perf_counter()
        if threads == 1:
            _copy(pairs[0])
        else:
            list(pool.map(_copy, pairs))
        seconds.append(time.perf_counter() - start)
    best, middle = min(seconds), float(np.median(seconds))
    return Moved(threads, size * threads, passes * size * threads / best, middle / best - 1, _TURNS)


def _passes(size: int, passes: int) -> Floats:
    """Return `passes` overlapping rows of `size` bytes, each one cache line after the one before."""
    step = _LINE // 8
    memory = np.zeros(size // 8 + passes * step)
    return as_strided(memory, (passes, size // 8), (_LINE, 8), writeable=True)


def _copy(pair: tuple[Floats, Floats]) -> None:
    source, target = pair
    np.copyto(target, source)  # without Python's lock, so threads copy at once
