"""What a container or a busy machine leaves us: limits of the control group, memory, stolen time."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_ROOT = Path("/")
# Limit, usage, and the part of it in `memory.stat` that is only a copy of files; version 2 and 1.
_MEMORY_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
_NO_LIMIT = 1 << 60  # cgroup v1 writes a huge number where there is no limit


@dataclass(frozen=True)
class Memory:
    """Memory in bytes; None where the system does not say.

    Attributes:
        total: Of the machine.
        available: What new work could get without swapping.
        limit: Of the control group; None also where it sets none.
    """

    total: int | None
    available: int | None
    limit: int | None

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object, with sizes in bytes."""
        return {f"{name}_bytes": value for name, value in asdict(self).items()}


def memory(root: Path = _ROOT) -> Memory:
    """Return what the machine has and what is left of it, and of what each control group of ours may take."""
    found = {}
    for line in _lines(root / "proc/meminfo"):
        name, _, value = line.partition(":")
        if value.strip().endswith(" kB"):
            found[name] = int(value.split()[0]) * 1024
    groups = _memory_groups(root)
    available = found.get("MemAvailable")
    if available is not None:
        available = min([available, *(max(0, limit - used) for limit, used in groups)])
    return Memory(found.get("MemTotal"), available, min((limit for limit, _ in groups), default=None))


def cpu_quota(root: Path = _ROOT) -> float | None:
    """Return how many processors' time the control group grants, such as 1.5; None where it sets no limit."""
    quotas = []
    for folder in _groups(root, "cpu"):
        quota, period = (*_words(folder / "cpu.max"), "", "")[:2]  # v2: "150000 100000" or "max 100000"
        if not quota:  # v1; -1: no limit
            quota, period = (_first(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
        if quota.isdecimal() and period.isdecimal() and int(period) > 0:
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def governor(root: Path = _ROOT) -> str | None:
    """Return the frequency governor of the first processor we may use, or None where there is none."""
    first = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    return _first(root / f"sys/devices/system/cpu/cpu{first}/cpufreq/scaling_governor") or None


def processor_ticks(root: Path = _ROOT) -> tuple[int, int] | None:
    """Return the ticks that all processors have counted so far: those stolen by a hypervisor, and all.

    The difference of two calls says which share of the time in between was stolen. None where nobody counts.
    """
    for line in _lines(root / "proc/stat"):
        name, *ticks = line.split()
        if name == "cpu" and len(ticks) >= 8:  # user nice system idle iowait irq softirq steal …
            numbers = [int(tick) for tick in ticks[:8]]  # guest time, behind them, is part of user time
            return numbers[7], sum(numbers)
    return None


def _memory_groups(root: Path) -> list[tuple[int, int]]:
    """Return the limit of each of our groups that has one, and what it holds that cannot be given back."""
    found = []
    for folder in _groups(root, "memory"):
        for limit, usage, cached in _MEMORY_FILES:
            text = _first(folder / limit)
            if text.isdecimal() and int(text) < _NO_LIMIT:
                held = _first(folder / usage)
                files = dict(line.split() for line in _lines(folder / "memory.stat") if line.count(" ") == 1)
                used = int(held) - int(files.get(cached, 0)) if held.isdecimal() else 0
                found.append((int(text), max(0, used)))
    return found


def _groups(root: Path, controller: str) -> list[Path]:
    """Return the folders of our control group and of those above it, version 1 and 2, innermost first."""
    folders: list[Path] = []
    for line in _lines(root / "proc/self/cgroup"):
        number, names, path = (*line.split(":", 2), "", "")[:3]
        if number == "0" and not names:
            top = root / "sys/fs/cgroup"
        elif controller in names.split(","):
            top = root / "sys/fs/cgroup" / controller
        else:
            continue
        # In a container our path may be that of the host, which is not mounted: the top is then our own.
        inner = top / path.lstrip("/")
        folders += [inner, *(above for above in inner.parents if above.is_relative_to(top))]
    return folders


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _first(path: Path) -> str:
    return next(iter(_lines(path)), "").strip()


def _words(path: Path) -> list[str]:
    return _first(path).split()
