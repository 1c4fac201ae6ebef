"""Drawings of what accuracy costs: every variant of a search, against its time and against its size."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, PercentFormatter
from numpy.typing import NDArray

from foveal.report.chart import Chart, short
from foveal.report.drawing import ACCENT, INK, LINE, MUTED, WARM, svg
from foveal.report.optimized_cells import milliseconds, share, smaller
from foveal.report.optimized_measure import measure_of

Row = Mapping[str, Any]

_LARGEST = 150.0  # area of the marker of the largest file, in square points
_ROOM = 1.6  # free space beside the outermost points on a logarithmic axis, as a factor
_WIDE = 30  # ends of an axis that differ by more are labelled at powers of ten, 2 and 5 only
_TALL = 0.2  # accuracies that differ by more are spaced by their errors
_NO_ERRORS = 0.003  # added to a share of errors, whose logarithm would not exist at 0
_ACCURACIES = (0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0)
_TABLE = (
    *("name", "accuracy", "low", "high", "n", "p50_ms", "p50_low_ms", "p50_high_ms", "size_bytes"),
    *("pareto", "recommended"),
)


def accuracy_and_time(document: Row) -> Chart:
    """Draw accuracy against the median time of one picture; the area of a marker is the size of the file.

    Args:
        document: `foveal.optimize/1`.
    """

    def place(row: Row) -> float:
        return float(row["latency_ms"]["p50"])

    def paint(axes: Axes) -> None:
        _scatter(axes, document, place, limit=document["limits"]["latency_ms"])
        low, high = axes.get_xlim()
        for row in document["variants"]:
            ends = [row["latency_ms"][end] for end in ("p50_low", "p50_high")]
            if None not in ends:
                value = row["accuracy"]["value"]
                axes.hlines(value, *ends, color=_colour(row), alpha=0.4, lw=2, zorder=2)
                low, high = min(low, ends[0]), max(high, ends[1])
        axes.set_xlim(low, high)
        axes.set_xlabel("ms for one picture (median; bars: 95% intervals)")

    return _chart(
        "accuracy_and_time",
        f"{measure_of(document).title} and time",
        document,
        svg("accuracy_and_time", paint, width=5.2, height=3.6),
    )


def accuracy_and_size(document: Row) -> Chart:
    """Draw accuracy against the size of the file.

    Args:
        document: `foveal.optimize/1`.
    """
    limit = document["limits"]["size_bytes"]

    def place(row: Row) -> float:
        return float(row["size_bytes"] / 1e6)

    def paint(axes: Axes) -> None:
        _scatter(axes, document, place, limit=None if limit is None else limit / 1e6)
        axes.set_xlabel("size of the file, MB")

    return _chart(
        "accuracy_and_size",
        f"{measure_of(document).title} and size",
        document,
        svg("accuracy_and_size", paint, width=5.2, height=3.6),
    )


def _scatter(axes: Axes, document: Row, place: Callable[[Row], float], *, limit: float | None) -> None:
    """Draw every variant with the interval of its accuracy, join the Pareto points, and draw the limits."""
    rows = document["variants"]
    largest = max(row["size_bytes"] for row in rows)
    front = sorted((row for row in rows if row["pareto"]), key=place)
    axes.plot(
        [place(row) for row in front],
        [row["accuracy"]["value"] for row in front],
        color=ACCENT,
        linewidth=0.9,
        alpha=0.6,
        zorder=1,
    )
    for number, row in enumerate(rows):
        accuracy, colour = row["accuracy"], _colour(row)
        axes.vlines(place(row), accuracy["low"], accuracy["high"], color=colour, alpha=0.4, lw=2, zorder=2)
        axes.scatter(
            [place(row)],
            [accuracy["value"]],
            s=_LARGEST * row["size_bytes"] / largest,
            color=colour,
            zorder=3,
            gid=f"variant-{number}",
        )
    _name(axes, rows, place)
    _logarithmic(axes, [place(row) for row in rows] + ([] if limit is None else [limit]))
    least = rows[0]["accuracy"]["value"] - document["limits"]["drop"]
    axes.axhline(least, color=INK, lw=0.8, ls=(0, (4, 3)), gid="limit-drop")
    if limit is not None:
        axes.axvline(limit, color=INK, lw=0.8, ls=(0, (4, 3)), gid="limit-across")
    axes.margins(y=0.12)
    if max(row["accuracy"]["high"] for row in rows) - min(row["accuracy"]["low"] for row in rows) > _TALL:
        _by_errors(axes)
    axes.set_ylabel(f"{measure_of(document).name} (bars: 95% intervals)")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    axes.grid(axis="y", color=LINE)


def _by_errors(axes: Axes) -> None:
    """Space accuracies by the logarithm of the errors: a hopeless variant leaves room for the others."""

    def forward(accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
        return -np.log(np.maximum(1 + _NO_ERRORS - accuracy, _NO_ERRORS / 2))

    def back(height: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1 + _NO_ERRORS - np.exp(-height)

    axes.set_yscale("function", functions=(forward, back))
    axes.yaxis.set_major_locator(FixedLocator(_ACCURACIES))


def _name(axes: Axes, rows: Sequence[Row], place: Callable[[Row], float]) -> None:
    """Write names beside the points that matter, in turns above and below so that few meet."""
    named = [row for row in rows if row["pareto"] or row["code"] in ("recommended", "original")]
    for number, row in enumerate(sorted(named, key=place)):
        above = number % 2 == 0
        axes.annotate(
            short(row["name"]),
            (place(row), row["accuracy"]["high" if above else "low"]),
            (0, 4 if above else -4),
            textcoords="offset points",
            ha="center",
            va="bottom" if above else "top",
            fontsize=7,
            color=_colour(row),
        )


def _logarithmic(axes: Axes, values: Sequence[float]) -> None:
    """Make the horizontal axis logarithmic, with room at its ends and plain numbers."""
    low, high = min(values) / _ROOM, max(values) * _ROOM
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    subs = (1, 2, 5) if high / low > _WIDE else (1, 1.5, 2, 3, 5, 7)
    axes.xaxis.set_major_locator(LogLocator(subs=subs))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _colour(row: Row) -> str:
    if row["code"] == "recommended":
        return WARM
    return ACCENT if row["pareto"] else MUTED


def _chart(name: str, title: str, document: Row, drawing: str) -> Chart:
    rows = document["variants"]
    return Chart(
        name=name,
        title=title,
        says="; ".join(
            f"{row['name']} {share(row['accuracy'])} on n={row['accuracy']['n']:,} in "
            f"{milliseconds(row['latency_ms'])}, {smaller(row['size_ratio'])}"
            for row in rows
        ),
        columns=_TABLE,
        rows=tuple(
            (
                row["name"],
                *(row["accuracy"][key] for key in ("value", "low", "high", "n")),
                *(row["latency_ms"][key] for key in ("p50", "p50_low", "p50_high")),
                *(row["size_bytes"], row["pareto"], row["code"] == "recommended"),
            )
            for row in rows
        ),
        svg=drawing,
    )
