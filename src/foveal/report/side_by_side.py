"""Drawings that show several recognizers beside each other."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from foveal.core.units import show_bytes
from foveal.report import words
from foveal.report.chart import Chart, short
from foveal.report.drawing import ACCENT, INK, MUTED, WARM, svg

Row = Mapping[str, Any]
_COLOURS = (ACCENT, WARM, INK, MUTED)
_WIDE = 10  # times that differ by more need a logarithmic axis
_MARKERS = "osD^vP"  # shapes tell them apart where colours do not
_VIEWS = {"shuffled_blocks": "Parts without arrangement", "block_means": "Arrangement without parts"}


class _Style(NamedTuple):
    color: str
    marker: str


def _style(place: int) -> _Style:
    return _Style(_COLOURS[place % len(_COLOURS)], _MARKERS[place % len(_MARKERS)])


def trade_off(models: Sequence[Row]) -> Chart:
    """Draw accuracy against the time for one picture; the size of the file is written beside each point."""

    def paint(axes: Axes) -> None:
        for place, row in enumerate(models):
            style, accuracy = _style(place), row["accuracy"]
            spread = [[accuracy["value"] - accuracy["low"]], [accuracy["high"] - accuracy["value"]]]
            axes.errorbar(
                row["latency_ms"], accuracy["value"], spread, color=style.color, marker=style.marker, ms=5
            )
            axes.annotate(
                f"{short(row['name'])}, {show_bytes(row['size_bytes'])}",
                (row["latency_ms"], accuracy["value"]),
                (6, 4),
                textcoords="offset points",
                color=style.color,
            )
        times = [row["latency_ms"] for row in models]
        if max(times) > _WIDE * min(times):
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.margins(x=0.35, y=0.2)
        else:
            axes.set_xlim(0, 1.5 * max(times))
        axes.set(xlabel="ms for one picture at model size (median)", ylabel="accuracy")
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(axis="y")

    return Chart(
        name="trade_off",
        title="Accuracy and speed",
        says="; ".join(
            f"{row['name']} {words.percent(row['accuracy']['value'])} in {row['latency_ms']:.2f} ms "
            f"with {show_bytes(row['size_bytes'])}"
            for row in models
        ),
        columns=("name", "accuracy", "low", "high", "n", "latency_ms", "latency_p99_ms", "size_bytes"),
        rows=tuple(
            (
                row["name"],
                *_measured(row["accuracy"]),
                *(row[key] for key in ("latency_ms", "latency_p99_ms", "size_bytes")),
            )
            for row in models
        ),
        svg=svg("trade_off", paint),
    )


def robustness(models: Sequence[Row]) -> Chart:
    """Draw the accuracy under every corruption, one row for each, the recognizers one below the other."""
    kinds = [one["corruption"] for one in models[0]["robustness"]]
    names = ["as they are" if kind == "none" else kind.replace("_", " ") for kind in kinds]

    def paint(axes: Axes) -> None:
        for place, row in enumerate(models):
            style = _style(place)
            shift = (place - (len(models) - 1) / 2) * 0.7 / len(models)
            found = [one["accuracy"] for one in row["robustness"]]
            ys = [y + shift for y in range(len(kinds))]
            lows, highs = [one["low"] for one in found], [one["high"] for one in found]
            axes.hlines(ys, lows, highs, color=style.color, alpha=0.45, lw=3)
            values = [one["value"] for one in found]
            axes.plot(values, ys, style.marker, color=style.color, ms=4, label=short(row["name"]))
        axes.set_yticks(range(len(kinds)), names)
        axes.set(xlim=(0, 1.01), ylim=(len(kinds) - 0.4, -0.6), xlabel="accuracy (bars: 95% intervals)")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.16), ncols=2)

    return Chart(
        name="robustness",
        title="On disturbed images",
        says="; ".join(
            f"{row['name']}: "
            + ", ".join(
                f"{name} {words.percent(one['accuracy']['value'])}"
                for name, one in zip(names, row["robustness"], strict=True)
            )
            for row in models
        ),
        columns=("name", "corruption", "severity", "accuracy", "low", "high", "n"),
        rows=tuple(
            (row["name"], one["corruption"], one["severity"], *_measured(one["accuracy"]))
            for row in models
            for one in row["robustness"]
        ),
        svg=svg("robustness", paint, height=1.5 + 0.32 * len(kinds)),
    )


def structure(models: Sequence[Row], view: str) -> Chart:
    """Draw the accuracy on one view of `perturb/structure` against the number of blocks on a side."""
    name = f"structure_{view}"
    found = [[one for one in row["structure"] if one["view"] == view] for row in models]

    def paint(axes: Axes) -> None:
        for place, (row, points) in enumerate(zip(models, found, strict=True)):
            _line(axes, place, row["name"], [one["blocks"] for one in points], points)
        blocks = [one["blocks"] for one in found[0]]
        axes.set_xscale("log", base=2)
        axes.set_xticks(blocks, [f"{one} × {one}" for one in blocks])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set(ylim=(0, 1.02), xlabel="blocks of a picture", ylabel="accuracy")
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.legend()

    return Chart(
        name=name,
        title=_VIEWS.get(view, view.replace("_", " ")),
        says="; ".join(
            f"{row['name']}: "
            + ", ".join(f"{one['blocks']} blocks {words.percent(one['accuracy']['value'])}" for one in points)
            for row, points in zip(models, found, strict=True)
        ),
        columns=("name", "blocks", "accuracy", "low", "high", "n"),
        rows=tuple(
            (row["name"], one["blocks"], *_measured(one["accuracy"]))
            for row, points in zip(models, found, strict=True)
            for one in points
        ),
        svg=svg(name, paint),
    )


def efficiency(curve: Sequence[Row], names: Sequence[str]) -> Chart:
    """Draw the accuracy on the same test images against the number of training images."""
    found = [[one for one in curve if one["name"] == name] for name in names]

    def paint(axes: Axes) -> None:
        for place, (name, points) in enumerate(zip(names, found, strict=True)):
            _line(axes, place, name, [one["images"] for one in points], points)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set(xlabel="training images", ylabel="accuracy")
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.grid(axis="y")
        axes.legend()

    return Chart(
        name="efficiency",
        title="What more training images give",
        says="; ".join(
            f"{one['name']} {words.percent(one['accuracy']['value'])} from {one['images']:,}" for one in curve
        ),
        columns=("name", "images", "accuracy", "low", "high", "n"),
        rows=tuple((one["name"], one["images"], *_measured(one["accuracy"])) for one in curve),
        svg=svg("efficiency", paint),
    )


def _line(axes: Axes, place: int, name: str, xs: Sequence[float], points: Sequence[Row]) -> None:
    style, measured = _style(place), [one["accuracy"] for one in points]
    lows, highs = [one["low"] for one in measured], [one["high"] for one in measured]
    axes.fill_between(xs, lows, highs, color=style.color, alpha=0.15, linewidth=0)
    values = [one["value"] for one in measured]
    axes.plot(xs, values, color=style.color, marker=style.marker, ms=4, label=short(name))


def _measured(value: Row) -> tuple[Any, ...]:
    return tuple(value[key] for key in ("value", "low", "high", "n"))
