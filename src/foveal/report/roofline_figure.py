"""Drawing of a machine's limits, and of how near each way to run a bundle, or each variant, comes to them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from foveal.core.wording import counted
from foveal.report import roofline_words
from foveal.report.chart import Chart, short
from foveal.report.drawing import ACCENT, INK, LINE, MUTED, PALETTE, WARM, svg
from foveal.report.speed_words import Document, called

_TABLE = (
    *("engine", "precision", "threads", "batch", "macs_per_byte", "macs_per_second", "bound_ms", "p50_ms"),
    "roofline_share",
)
_VARIANTS = ("name", "computed", "threads", *_TABLE[4:])
_DASHES = {"fp32": "-", "bf16": (0, (5, 2)), "int8": (0, (1.5, 1.5))}


def roofline_figure(document: Document) -> Chart | None:
    """Draw the roofs of this machine, and a point for each candidate; None where there is nothing to draw.

    Both axes are logarithmic: multiply-adds for each byte that must be moved, and multiply-adds a second
    (Williams, Waterman & Patterson, 2009, figure 1). Roofs are those of the most threads that a
    candidate has.

    Args:
        document: `foveal.bench/1`.
    """
    found = document.get("roofline")
    if found is None:  # measured before there was one
        return None
    points = _points(document["engines"], found["bounds"])
    if not points:
        return None
    most = _roof_threads(found["peaks"], max(point["threads"] for point in points))
    peaks = [peak for peak in found["peaks"] if peak["threads"] == most]
    levels = [level for level in found["bandwidth"] if level["threads"] == most]
    chosen = {_key(choice) for choice in document["choices"]}

    def paint(axes: Axes) -> None:
        _roofs(axes, peaks, levels, points)
        for point in points:
            _point(axes, point, WARM if _key(point) in chosen else ACCENT)

    said = "; ".join(
        f"{called(one)}, batch {one['batch']}: {one['roofline_share']:.0%} of its roof" for one in points
    )
    return Chart(
        name="roofline",
        title=f"How near the limits of this machine; roofs with {counted(most, 'thread')}, orange: to take",
        says=f"{roofline_words.peaks(found)}. {said}",
        columns=_TABLE,
        rows=tuple(tuple(one[name] for name in _TABLE) for one in points),
        svg=svg("roofline", paint, width=5.2, height=3.2),
    )


def variants_figure(document: Document) -> Chart | None:
    """Draw the roofs of this machine, and a point for each variant of a search; None without roofs or points.

    Those that are named are recommended, the original, or beaten by no other one in all respects.

    Args:
        document: `foveal.optimize/1`.
    """
    found = document["roofline"]
    points = [_worked(row) for row in document["variants"] if None not in (row["macs"], row["moved_bytes"])]
    if found is None or not found["peaks"] or not found["bandwidth"] or not points:
        return None
    most = _roof_threads(found["peaks"], max(point["threads"] for point in points))
    peaks = [peak for peak in found["peaks"] if peak["threads"] == most]
    levels = [level for level in found["bandwidth"] if level["threads"] == most]

    def paint(axes: Axes) -> None:
        _roofs(axes, peaks, levels, points)
        for number, point in enumerate(points):
            colour = WARM if point["code"] == "recommended" else ACCENT if point["pareto"] else MUTED
            _point(axes, point, colour, gid=f"variant-{number}")
        _name(axes, points)

    known = [point for point in points if point["roofline_share"] is not None]
    return Chart(
        name="roofline",
        title=f"Variants under the roofs of this machine with {counted(most, 'thread')}; orange: recommended",
        says=f"{roofline_words.peaks({**found, 'peaks': peaks, 'bandwidth': levels})}. "
        "Share of its own roof that each reaches: "
        + ("; ".join(f"{one['name']} {one['roofline_share']:.0%}" for one in known) or "not known"),
        columns=_VARIANTS,
        rows=tuple(tuple(one[name] for name in _VARIANTS) for one in points),
        svg=svg("roofline", paint, width=5.2, height=3.6),
    )


def _worked(row: Document) -> dict[str, Any]:
    """Return a variant with how much it does for each byte, and in a second."""
    milliseconds = row["latency_ms"]["p50"]
    return {
        **row,
        "p50_ms": milliseconds,
        "macs_per_byte": row["macs"] / row["moved_bytes"],
        "macs_per_second": row["macs"] / milliseconds * 1e3,
    }


def _name(axes: Axes, points: list[dict[str, Any]]) -> None:
    """Write names left of the points that matter: variants of one precision lie above each other."""
    named = [one for one in points if one["pareto"] or one["code"] in ("recommended", "original")]
    for one in named:
        axes.annotate(
            short(one["name"]),
            (one["macs_per_byte"], one["macs_per_second"] / 1e9),
            (-5, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=7,
            color=WARM if one["code"] == "recommended" else INK,
            bbox={"facecolor": PALETTE["paper"][0], "edgecolor": "none", "pad": 0.5},  # over the lines
        )


def _point(axes: Axes, point: Document, colour: str, *, gid: str | None = None) -> None:
    place = point["macs_per_byte"], point["macs_per_second"] / 1e9
    axes.plot(*place, "o", color=colour, markersize=4, gid=gid)
    axes.set(xlabel="multiply-adds a byte", ylabel="G multiply-adds a second")


def _roof_threads(peaks: list[Document], most: int) -> int:
    """Return the measured number of threads that is nearest above the candidates', or the largest."""
    counts = sorted({peak["threads"] for peak in peaks})
    return int(next((count for count in counts if count >= most), counts[-1]))


def _points(rows: list[Document], bounds: list[Document]) -> list[dict[str, Any]]:
    """Return what is drawn of each candidate whose bound is known, the nearest to its roof first."""
    named = {_way(bound): bound for bound in bounds}
    found = []
    for row in rows:
        bound = named.get(_way(row))
        if bound is None or row["roofline_share"] is None:
            continue
        found.append(
            {
                **row,
                "bound_ms": bound["bound_ms"],
                "macs_per_byte": bound["macs"] / bound["moved_bytes"],
                "macs_per_second": bound["macs"] / row["p50_ms"] * 1e3,
            }
        )
    return sorted(found, key=lambda one: float(-one["roofline_share"]))


def _roofs(axes: Axes, peaks: list[Document], levels: list[Document], points: list[dict[str, Any]]) -> None:
    """Draw flat roofs where arithmetic is the limit and rising ones where moving is."""
    highest = max(peak["macs_per_second"] for peak in peaks)
    where = [point["macs_per_byte"] for point in points]
    where += [highest / level["bytes_per_second"] for level in levels]
    ends = min(where) / 3, max(where) * 3
    for level in levels:
        corner = highest / level["bytes_per_second"]
        rising = np.array([ends[0], corner])
        axes.loglog(rising, rising * level["bytes_per_second"] / 1e9, color=LINE, linewidth=1.0)
        axes.annotate(
            level["name"],
            (ends[0], ends[0] * level["bytes_per_second"] / 1e9),
            color=MUTED,
            fontsize=7,
            va="bottom",
        )
    fastest = max(level["bytes_per_second"] for level in levels)
    for peak in peaks:
        flat = [max(ends[0], peak["macs_per_second"] / fastest), ends[1]]
        height = peak["macs_per_second"] / 1e9
        style = _DASHES.get(peak["precision"], "-")
        axes.loglog(flat, [height, height], color=INK, linewidth=1.2, linestyle=style)
        axes.annotate(peak["precision"], (ends[1], height), color=INK, fontsize=7, ha="right", va="bottom")
    axes.set_xlim(*ends)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())


def _way(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("precision", "threads", "batch"))


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["engine"], *_way(row)
