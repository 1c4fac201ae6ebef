"""The processor's caches, as far as the system tells (Linux: `sysfs`)."""

import os
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/")
_FOLDER = "sys/devices/system/cpu/cpu{}/cache"
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True)
class Cache:
    """One level, as the first processor that we may use sees it.

    Attributes:
        level: 1 is the nearest.
        size_bytes: Of one such cache.
        shared_by: How many of the machine's processors share one.
    """

    level: int
    size_bytes: int
    shared_by: int


def caches(root: Path = _ROOT) -> tuple[Cache, ...]:
    """Return the caches that hold data, the nearest first; empty where the system does not say.

    Args:
        root: Where the system's files begin.
    """
    first = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    folder = root / _FOLDER.format(first)
    found = []
    for place in sorted(folder.glob("index*")):
        kind, level, size, shared = (
            _read(place / name) for name in ("type", "level", "size", "shared_cpu_list")
        )
        if kind in ("Data", "Unified") and level.isdecimal() and size[:-1].isdecimal() and size[-1] in _UNITS:
            found.append(Cache(int(level), int(size[:-1]) * _UNITS[size[-1]], _count(shared)))
    return tuple(sorted(found, key=lambda cache: cache.level))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _count(processors: str) -> int:
    """Return how many processors a list such as `0-3,8` names, at least one.

    >>> _count("0-3,8"), _count("")
    (5, 1)
    """
    count = 0
    for part in processors.split(","):
        first, _, last = part.partition("-")
        if first.isdecimal():
            count += int(last or first) - int(first) + 1
    return max(1, count)
