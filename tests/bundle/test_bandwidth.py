"""bundle.bandwidth: the plateaus of a sweep that is known, and copies that really take place."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from foveal.bundle import bandwidth
from foveal.bundle.bandwidth import Moved, levels, sweep
from foveal.core.caches import Cache

CACHES = (Cache(1, 32 << 10, 1), Cache(2, 1 << 20, 1), Cache(3, 32 << 20, 2))


def planted(threads, rates):
    """Return a sweep whose rate is that of the level the set of one thread fits."""
    sizes = [16 << 10 << power for power in range(15)]
    return [
        Moved(
            threads,
            size * threads,
            next(rate for most, rate in rates if size * threads <= most * threads),
            0,
            9,
        )
        for size in sizes
    ]


def test_each_cache_gets_the_rate_of_the_sets_that_fit_it_and_memory_that_of_the_largest():
    rates = [(32 << 10, 200e9), (1 << 20, 100e9), (32 << 20, 80e9), (64 << 20, 50e9), (1 << 40, 20e9)]

    found = levels(planted(1, rates), CACHES)

    assert [(level.name, level.capacity_bytes, level.bytes_per_second) for level in found] == [
        ("L1", 32 << 10, 200e9),
        ("L2", 1 << 20, 100e9),
        ("L3", 32 << 20, 80e9),
        ("memory", None, 20e9),
    ]


def test_two_threads_have_two_caches_of_their_own_and_one_together():
    found = levels(planted(2, [(1 << 40, 1e9)]), CACHES)

    assert [level.capacity_bytes for level in found] == [64 << 10, 2 << 20, 32 << 20, None]


def test_where_no_cache_is_known_there_is_memory_alone():
    [memory] = levels(planted(1, [(1 << 20, 9e9), (1 << 40, 2e9)]), ())

    assert (memory.name, memory.bytes_per_second) == ("memory", 9e9), "nobody knows what was a cache"


@pytest.mark.parametrize("threads", [1, 2])
def test_sizes_double_up_to_what_all_threads_may_touch(threads, monkeypatch):
    monkeypatch.setattr(bandwidth, "LARGEST", 1 << 18)

    found = sweep(threads)

    sizes = [one.set_bytes for one in found]
    assert sizes == [threads * (16 << 10 << power) for power in range(len(sizes))]
    assert sizes[-1] == 1 << 18
    assert all(one.bytes_per_second > 1e8 and one.spread >= 0 for one in found)


def test_little_memory_leaves_the_largest_sets_out(monkeypatch):
    monkeypatch.setattr(bandwidth, "memory", lambda: type("M", (), {"available": 8 << 17}))

    assert sweep(1)[-1].set_bytes == 1 << 17


def test_every_pass_copies_the_whole_set():
    source, target = bandwidth._passes(4096, 3), bandwidth._passes(4096, 3)
    source[...] = 7.0

    bandwidth._copy((source, target))

    assert (target == 7).all()
    assert target.shape == (3, 512)
    assert np.shares_memory(target[0], target[2])
    with ThreadPoolExecutor(1) as pool:
        one = bandwidth._moved(1 << 14, 1, pool)
    assert one.set_bytes == 1 << 14
