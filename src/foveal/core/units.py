"""Quantities as people write them: `2ms`, `500kB`, `1pt`, `90s`."""

import re

from foveal.core.errors import UsageError

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {"B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def seconds(text: str) -> float:
    """Return a time in seconds.

    Raises:
        UsageError: No number, no unit, or an unknown unit.

    >>> seconds("5m"), seconds("2ms")
    (300.0, 0.002)
    """
    return _quantity(text, _SECONDS, "a time such as 2ms, 90s, 5m or 1h")


def size_bytes(text: str) -> int:
    """Return a size in bytes; kB is 1000 bytes, KiB is 1024.

    >>> size_bytes("1.5MB")
    1500000
    """
    return round(_quantity(text, _BYTES, "a size such as 500kB or 1.5MB"))


def points(text: str) -> float:
    """Return percentage points as a fraction.

    >>> points("1pt")
    0.01
    """
    return _quantity(text, {"pt": 0.01}, "percentage points such as 1pt or 0.5pt")


def show_seconds(value: float) -> str:
    """Return a time for people.

    >>> show_seconds(0.0021), show_seconds(42.0), show_seconds(312)
    ('2.1 ms', '42 s', '5 min 12 s')
    """
    if value < 1:
        return f"{value * 1000:.3g} ms"
    if value < 60:
        return f"{value:.3g} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s"


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


def _quantity(text: str, units: dict[str, float] | dict[str, int], wanted: str) -> float:
    match = _NUMBER.fullmatch(text)
    if match is None or match[2] not in units:
        raise UsageError(f"need {wanted}; got {text!r}")
    return float(match[1]) * units[match[2]]
