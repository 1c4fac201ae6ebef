"""What this computer is and how much of it we may use."""

import os
import platform
from importlib import metadata
from pathlib import Path

MOST_THREADS = 256  # more have never made anything faster here, and thousands end a process
_CPUINFO = Path("/proc/cpuinfo")
# What an engine's fast kernels ask for, by the kernel's name of it.
_FEATURES = {
    "avx": "AVX",
    "avx2": "AVX2",
    "fma": "FMA",
    "avx512f": "AVX512",
    "avx512_vnni": "AVX512-VNNI",
    "avx512_bf16": "AVX512-BF16",
    "avx_vnni": "AVX-VNNI",
    "amx_bf16": "AMX-BF16",
    "amx_int8": "AMX-INT8",
    "asimd": "NEON",
    "neon": "NEON",
    "asimddp": "DOTPROD",
    "i8mm": "I8MM",
    "bf16": "BF16",
    "sve": "SVE",
}


def usable_cpus() -> int:
    """Return how many processors this process may run on (its affinity, not the machine's count)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_name() -> str:
    """Return the processor's model name, or the architecture where the system does not say."""
    return _told("model name") or platform.processor() or platform.machine()


def cpu_features() -> tuple[str, ...]:
    """Return which of the instruction sets that matter here the processor has; empty where nobody says."""
    flags = (_told("flags") or _told("Features") or "").split()
    return tuple(dict.fromkeys(name for flag, name in _FEATURES.items() if flag in flags))


def _told(key: str) -> str | None:
    """Return what `/proc/cpuinfo` says of the first processor, or None."""
    if not _CPUINFO.is_file():
        return None
    for line in _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return None


def versions(*packages: str) -> dict[str, str | None]:
    """Return installed versions by package name, None where a package is absent; imports nothing."""
    return {name: _version(name) for name in packages}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
