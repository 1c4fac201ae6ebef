"""Quantities as people write and read them: `2ms`, `90s`, `500kB`, `1pt`; 1.2 MB."""

import re
from collections.abc import Mapping

from foveal.core.errors import UsageError

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def seconds(text: str) -> float:
    """Return a time in seconds.

    Raises:
        UsageError: No number, no unit, or an unknown unit.

    >>> seconds("5m"), seconds("2ms")
    (300.0, 0.002)
    """
    match = _NUMBER.fullmatch(text)
    if match is None or match[2] not in _SECONDS:
        raise UsageError(
            f"need a time such as 2ms, 90s, 5m or 1h; got {text!r}", hint=_unit_hint(text, _SECONDS)
        )
    return float(match[1]) * _SECONDS[match[2]]


def size(text: str) -> int:
    """Return a size in bytes, in powers of 1000 or, with `KiB` and `MiB`, of 1024.

    Raises:
        UsageError: No number, no unit, or an unknown unit.

    >>> size("500kB"), size("1.5 MB"), size("1MiB")
    (500000, 1500000, 1048576)
    """
    match = _NUMBER.fullmatch(text)
    if match is None or match[2] not in _BYTES:
        raise UsageError(
            f"need a size such as 500kB, 1.5MB or 2MiB; got {text!r}", hint=_unit_hint(text, _BYTES)
        )
    return round(float(match[1]) * _BYTES[match[2]])


def points(text: str) -> float:
    """Return a share that is given in percentage points.

    Raises:
        UsageError: No number, or another unit.

    >>> points("1pt"), points("0.5 pt")
    (0.01, 0.005)
    """
    match = _NUMBER.fullmatch(text)
    if match is None or match[2] != "pt":
        raise UsageError(
            f"need percentage points such as 1pt or 0.5pt; got {text!r}", hint=_points_hint(text)
        )
    return float(match[1]) / 100


def _unit_hint(text: str, units: Mapping[str, float]) -> str:
    """Return what is wrong with a quantity, and how it is written.

    >>> _unit_hint("2", _SECONDS), _unit_hint("5MS", _SECONDS)
    ("'2' has no unit: write 2ms, 2s, 2m or 2h", "no unit 'MS'; there are ms, s, m, h")
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return "a number with a point, then the unit: no sign, comma or exponent"
    if match[2]:
        return f"no unit {match[2]!r}; there are {', '.join(units)}"
    *first, last = (f"{match[1]}{unit}" for unit in units)
    return f"{text.strip()!r} has no unit: write {', '.join(first)} or {last}"


def _points_hint(text: str) -> str:
    """Return how a number of points is written, where a percentage or a share was.

    >>> _points_hint("1%")
    '1pt is one picture in a hundred; write 1pt'
    >>> _points_hint("0.01")
    '1pt is one picture in a hundred; write 0.01pt or, for a share of 0.01, 1pt'
    """
    told, match = "1pt is one picture in a hundred", re.fullmatch(r"(\d+(?:\.\d+)?)(\s*%)?", text.strip())
    if match is None:
        return told
    told += f"; write {match[1]}pt"
    share = not match[2] and 0 < float(match[1]) < 1
    return f"{told} or, for a share of {match[1]}, {100 * float(match[1]):.4g}pt" if share else told


def show_seconds(value: float) -> str:
    """Return a time for people.

    >>> show_seconds(0.0021), show_seconds(42.0), show_seconds(312)
    ('2.1 ms', '42 s', '5 min 12 s')
    >>> show_seconds(0.9999), show_seconds(59.99)
    ('1 s', '1 min 0 s')
    """
    if value < 0.9995:
        return f"{value * 1000:.3g} ms"
    if value < 59.95:
        return f"{value:.3g} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s"


def show_rate(value: float) -> str:
    """Return how many a second, for people.

    >>> show_rate(1795.3), show_rate(7.31)
    ('1,795 a second', '7.3 a second')
    """
    return f"{value:,.0f} a second" if value >= 10 else f"{value:.2g} a second"


def show_bytes(value: float) -> str:
    """Return a size for people, in powers of 1000.

    >>> show_bytes(1_234_567)
    '1.23 MB'
    """
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} GB"
