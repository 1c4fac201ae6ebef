"""Cells of tables about a `foveal.optimize/1` document: one number, its interval, what is said of a row."""

from collections.abc import Mapping
from typing import Any

from foveal.core.wording import counted
from foveal.report.optimized_measure import ACCURACY, Measure
from foveal.report.words import percent

Row = Mapping[str, Any]

_LIMITS = {"latency": "time", "p99": "time of 99 in 100", "size": "size", "memory": "memory"}
_JUDGED = {
    "original": "the original",
    "recommended": "recommended",
    "refuted": "chosen, but its proof failed",
    "feasible": "within the limits",
    "dominated": "beaten by another one",
    "no_real_gain": "no real gain",
}


def is_original(row: Row) -> bool:
    """Return whether it is the original, run as it was; the same file in a faster way is a variant."""
    return bool(row["name"] == "original")


def change(drop: Row) -> str:
    """Return the points that are lost with their interval, for a table that says above what they are.

    >>> change({"value": 0.002, "low": -0.0021, "high": 0.0061})
    '+0.2 (-0.2 to +0.6)'
    """
    return f"{100 * drop['value']:+.1f} ({100 * drop['low']:+.1f} to {100 * drop['high']:+.1f})"


def cost(row: Row) -> str:
    """Return what a variant lost, for a table; of the original nothing is, which is no estimate.

    >>> cost({"name": "original", "drop": {"value": 0.0, "low": -0.01, "high": 0.01}})
    '0'
    """
    return "0" if is_original(row) else change(row["drop"])


def times(ratio: float) -> str:
    """Return by which factor something is faster, from its time as a share of the other's.

    >>> times(0.25), times(2.0)
    ('4.00×', '0.50×')
    """
    return f"{1 / ratio:.2f}×"


def factor(row: Row) -> str:
    """Return how much faster a variant is than the original, with its interval, if that is more than noise.

    >>> row = {"name": "int8", "time_ratio": {"value": 0.25, "low": 0.2, "high": 0.5, "real": True}}
    >>> factor(row)
    '4.00× as fast (95% interval 2.00× to 5.00×)'
    >>> factor({"name": "int8", "time_ratio": {"value": 0.9, "low": 0.8, "high": 1.1, "real": False}})
    'not shown to be faster or slower'
    """
    ratio = row["time_ratio"]
    if is_original(row):
        return "as fast as it was"
    if not ratio["real"]:
        return "not shown to be faster or slower"
    return f"{times(ratio['value'])} as fast ({factors(ratio)})"


def factors(ratio: Row) -> str:
    """Return the interval of a factor of speed, from `time_ratio`."""
    if ratio["low"] is None or ratio["high"] is None:
        return "too few rounds for an interval"
    return f"95% interval {times(ratio['high'])} to {times(ratio['low'])}"


def smaller(ratio: float) -> str:
    """Return how a file compares in size.

    >>> smaller(0.25), smaller(1.0), smaller(1.5)
    ('4.0× smaller', 'of the same size', '1.5× larger')
    """
    if abs(ratio - 1) < 0.005:
        return "of the same size"
    return f"{1 / ratio:.1f}× smaller" if ratio < 1 else f"{ratio:.1f}× larger"


def judged(row: Row, measure: Measure = ACCURACY) -> str:
    """Return what is said of a variant; which limits it breaks comes first, what is not proven last."""
    names = _LIMITS | {"drop": measure.lost}
    if row["outside"] and row["code"] not in ("recommended", "refuted"):
        return f"outside: {', '.join(names[name] for name in row['outside'])}"
    told = _JUDGED[row["code"]]
    if row["unproven"]:
        told += f"; not proven: {', '.join(names[name] for name in row['unproven'])}"
    return told


def way(row: Row) -> str:
    """Return in which way a variant was timed.

    >>> way({"engine": "openvino", "computed": "int8+bf16", "threads": 1})
    'openvino int8+bf16, 1 thread'
    """
    return f"{row['engine']} {row['computed']}, {counted(row['threads'], 'thread')}"


def time_interval(latency: Row, quantile: str = "p50") -> str:
    """Return only the interval of the time of one picture, of its median or of the 99th percentile.

    >>> time_interval({"p50": 0.407, "p50_low": 0.4, "p50_high": 0.4132})
    '95% interval 0.4 to 0.413 ms'
    """
    low, high = latency[f"{quantile}_low"], latency[f"{quantile}_high"]
    if low is None or high is None:
        return "too few rounds for an interval"
    return f"95% interval {low:.3g} to {high:.3g} ms"


def milliseconds(latency: Row, quantile: str = "p50") -> str:
    """Return the time of one picture with its interval: the median or the 99th percentile.

    >>> milliseconds({"p50": 0.407, "p50_low": 0.4, "p50_high": 0.4132})
    '0.407 ms (95% interval 0.4 to 0.413 ms)'
    """
    return f"{latency[quantile]:.3g} ms ({time_interval(latency, quantile)})"


def span(value: float, low: float | None, high: float | None, unit: str = "") -> str:
    """Return a number with its interval, for a table that says above what it is.

    >>> span(0.40697, 0.4, 0.4132), span(1.5, None, 2.0)
    ('0.407 (0.4 to 0.413)', '1.5 (too few rounds)')
    >>> span(4.05, 3.78, 4.3, "×")
    '4.05× (3.78 to 4.3)'
    """
    known = "too few rounds" if low is None or high is None else f"{low:.3g} to {high:.3g}"
    return f"{value:.3g}{unit} ({known})"


def speed(row: Row) -> str:
    """Return the factor of speed with its interval, for a table; a difference within the noise is none."""
    return "1" if is_original(row) else faster(row["time_ratio"])


def faster(ratio: Row) -> str:
    """Return one factor of speed with its interval, for a table, from a `time_ratio`.

    >>> faster({"value": 0.25, "low": 0.2, "high": 0.5, "real": True})
    '4× (2 to 5)'
    """
    if not ratio["real"]:
        return "no real difference"
    low, high = ratio["low"], ratio["high"]
    return span(1 / ratio["value"], high and 1 / high, low and 1 / low, "×")


def share(value: Row) -> str:
    """Return a share with its interval, for a table that says n and 95% above.

    >>> share({"value": 0.8904, "low": 0.88, "high": 0.9002})
    '89.0% (88.0 to 90.0)'
    """
    return f"{percent(value['value'])} ({100 * value['low']:.1f} to {100 * value['high']:.1f})"
