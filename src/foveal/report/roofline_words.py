"""What was measured of a machine's limits, in sentences."""

from collections.abc import Mapping
from typing import Any

from foveal.core.units import show_bytes
from foveal.core.wording import counted

Document = Mapping[str, Any]


def peaks(found: Document) -> str:
    """Return the peaks with all threads in one sentence, or why there are none.

    Args:
        found: `roofline` of a `foveal.bench/1` or `foveal.doctor/1` document.
    """
    if not found["peaks"]:
        return f"not measured: {found['error']}"
    most = max(peak["threads"] for peak in found["peaks"])
    said = ", ".join(peak(one) for one in found["peaks"] if one["threads"] == most)
    levels = ", ".join(level(one) for one in found["bandwidth"] if one["threads"] == most)
    spread = max(one["spread"] for one in found["peaks"])
    return (
        f"{said}; {levels}; with {counted(most, 'thread')}, the best of many calls "
        f"(the median took up to {spread:.0%} longer)"
    )


def peak(found: Document) -> str:
    """Return one peak.

    >>> peak({"precision": "int8", "macs_per_second": 2.21e11, "engine": "onnxruntime"})
    'int8 221 G multiply-adds/s (onnxruntime)'
    """
    return f"{found['precision']} {rate(found['macs_per_second'])} ({found['engine']})"


def rate(macs_per_second: float) -> str:
    """Return multiply-adds a second for people.

    >>> rate(2.21e11)
    '221 G multiply-adds/s'
    """
    return f"{macs_per_second / 1e9:.3g} G multiply-adds/s"


def level(found: Document) -> str:
    """Return the speed of one level.

    >>> level({"name": "L1", "bytes_per_second": 1.8e11})
    'L1 180 GB/s'
    """
    return f"{found['name']} {show_bytes(found['bytes_per_second'])}/s"


def lines(found: Document) -> list[str]:
    """Return all that was measured, a line each, with how much longer than the best the median call took."""
    said = [
        _line(one["precision"], one["threads"], rate(one["macs_per_second"]))
        + f"{one['engine']}, median call {one['spread']:.0%} longer, n={one['n']}"
        for one in found["peaks"]
    ]
    said += [
        _line(one["name"], one["threads"], f"{show_bytes(one['bytes_per_second'])}/s")
        + f"copies, median turn {one['spread']:.0%} longer"
        for one in found["bandwidth"]
    ]
    said += [f"{one['engine']}: {one['why']}" for one in found["skipped"]]
    return said if found["error"] is None else [*said, f"not measured: {found['error']}"]


def _line(name: str, threads: int, much: str) -> str:
    return f"{name:<8}{counted(threads, 'thread'):<12}{much:<24}"
