"""core.caches: what sysfs says of the caches, and nothing where it says nothing."""

import pytest

from foveal.core import caches as module
from foveal.core.caches import Cache, caches

ROWS = [
    {"level": "3", "type": "Unified", "size": "32768K", "shared_cpu_list": "0-7,16"},
    {"level": "1", "type": "Data", "size": "32K", "shared_cpu_list": "0"},
    {"level": "1", "type": "Instruction", "size": "64K", "shared_cpu_list": "0"},
    {"level": "2", "type": "Unified", "size": "1M", "shared_cpu_list": "0,8"},
]


@pytest.fixture
def system(tmp_path, monkeypatch):
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda pid: {3, 5}, raising=False)
    for index, row in enumerate(ROWS):
        folder = tmp_path / f"sys/devices/system/cpu/cpu3/cache/index{index}"
        folder.mkdir(parents=True)
        for name, text in row.items():
            (folder / name).write_text(text + "\n")
    return tmp_path


def test_the_caches_of_data_are_read_the_nearest_first(system):
    assert caches(system) == (Cache(1, 32 << 10, 1), Cache(2, 1 << 20, 2), Cache(3, 32 << 20, 9))


@pytest.mark.parametrize("text", ["", "big", "K", "12"])
def test_a_size_that_cannot_be_read_leaves_the_cache_out(system, text):
    (system / "sys/devices/system/cpu/cpu3/cache/index3/size").write_text(text)

    assert [cache.level for cache in caches(system)] == [1, 3]


def test_a_system_that_says_nothing_has_none(tmp_path):
    assert caches(tmp_path) == ()
