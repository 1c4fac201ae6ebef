"""core.limits: what the files of the kernel say, of both versions of control groups."""

from pathlib import Path

import pytest

from foveal.core import limits


@pytest.fixture
def root(tmp_path):
    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return write


MEMORY = {"proc/meminfo": "MemTotal:  2000 kB\nMemFree: 1 kB\nMemAvailable:  1000 kB\nHugePages_Total: 0\n"}
V2 = {"proc/self/cgroup": "0::/user/job\n"}
V1 = {"proc/self/cgroup": "5:memory:/job\n4:cpuacct,cpu:/job\n3:name=systemd:/\n0::/\n"}


def test_memory_is_told_in_bytes_and_without_a_group_has_no_limit(root):
    found = limits.memory(root(MEMORY))

    assert found.as_json() == {"total_bytes": 2_048_000, "available_bytes": 1_024_000, "limit_bytes": None}


@pytest.mark.parametrize(
    ("group", "file"),
    [
        (V2, "sys/fs/cgroup/user/job/memory.max"),
        (V2, "sys/fs/cgroup/user/memory.max"),
        (V2, "sys/fs/cgroup/memory.max"),
        (V1, "sys/fs/cgroup/memory/job/memory.limit_in_bytes"),
        (V1, "sys/fs/cgroup/memory/memory.limit_in_bytes"),
    ],
)
def test_the_limit_of_our_group_or_one_above_it_bounds_what_is_available(root, group, file):
    found = limits.memory(root({**MEMORY, **group, file: "500000\n"}))

    assert (found.limit, found.available) == (500_000, 500_000)


@pytest.mark.parametrize(
    ("group", "folder", "names"),
    [
        (V2, "user/job", ("memory.max", "memory.current", "inactive_file")),
        (V1, "memory/job", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")),
    ],
)
def test_what_the_group_holds_already_is_not_available_but_copies_of_files_are(root, group, folder, names):
    limit, usage, cached = names
    files = {
        f"sys/fs/cgroup/{folder}/{limit}": "500000\n",
        f"sys/fs/cgroup/{folder}/{usage}": "450000\n",
        f"sys/fs/cgroup/{folder}/memory.stat": f"anon 1\n{cached} 100000\n",
    }

    found = limits.memory(root({**MEMORY, **group, **files}))

    assert (found.limit, found.available) == (500_000, 150_000)


@pytest.mark.parametrize("text", ["max\n", "9223372036854771712\n", "", "-1\n"])
def test_no_limit_is_none(root, text):
    assert limits.memory(root({**V2, "sys/fs/cgroup/user/job/memory.max": text})).limit is None


def test_the_tightest_quota_of_all_groups_counts(root):
    files = {
        "sys/fs/cgroup/user/job/cpu.max": "300000 100000\n",
        "sys/fs/cgroup/user/cpu.max": "150000 100000\n",
    }

    assert limits.cpu_quota(root({**V2, **files})) == 1.5


@pytest.mark.parametrize(("quota", "expected"), [("50000", 0.5), ("-1", None), ("", None)])
def test_quota_of_the_first_version(root, quota, expected):
    folder = "sys/fs/cgroup/cpu/job"
    files = {f"{folder}/cpu.cfs_quota_us": f"{quota}\n", f"{folder}/cpu.cfs_period_us": "100000\n"}

    assert limits.cpu_quota(root({**V1, **files})) == expected


def test_where_the_kernel_says_nothing_nothing_is_invented(tmp_path):
    assert limits.memory(tmp_path) == limits.Memory(None, None, None)
    assert limits.cpu_quota(tmp_path) is None
    assert limits.governor(tmp_path) is None
    assert limits.processor_ticks(tmp_path) is None


def test_ticks_are_stolen_ones_and_all_without_counting_guests_twice(root):
    text = "cpu  100 0 50 800 10 0 5 35 40 2\ncpu0 1 0 0 0 0 0 0 0 0 0\n"

    assert limits.processor_ticks(root({"proc/stat": text})) == (35, 1000)


def test_this_machine_can_be_read():
    found = limits.memory()

    assert found.total is None or found.total > 10_000_000
    assert limits.cpu_quota() is None or limits.cpu_quota() > 0
