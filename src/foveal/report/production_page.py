"""One self-contained page of what came of the parts of a line."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from foveal.report.chart import Chart, short
from foveal.report.drawing import ACCENT, LINE, MUTED, PALETTE, WARM, svg
from foveal.report.page import templates

_COLORS = {"accept": ACCENT, "review": LINE, "reject": WARM}
_LOTS, _KINDS = 30, 12  # that a chart has room for; the tables have all


def production_page(document: Mapping[str, Any]) -> str:
    """Return the `foveal.inspect.report/1` document as one HTML page that loads nothing from outside."""
    charts = [verdicts_by_lot(document["lots"])]
    if document["kinds"]:
        charts.append(pareto(document["kinds"]))
    if len({day for row in document["kinds"] for day in row["days"]}) > 1:
        charts.append(kinds_by_day(document["kinds"]))
    page = templates().get_template("production.html.j2")
    name = PurePath(document["log"]).name
    return page.render(name=name, document=document, charts=charts, palette=PALETTE)


def verdicts_by_lot(lots: Sequence[Mapping[str, Any]]) -> Chart:
    """Draw the shares of the verdicts in each of the last lots, that of reviews with its interval."""
    shown = lots[-_LOTS:]
    places = np.arange(len(shown))

    def paint(axes: Axes) -> None:
        below = np.zeros(len(shown))
        for verdict, color in _COLORS.items():
            shares = np.array([lot[verdict]["value"] for lot in shown])
            axes.bar(places, shares, bottom=below, width=0.8, color=color, edgecolor="none", label=verdict)
            below += shares
        axes.set_xticks(places, [short(lot["lot"]) for lot in shown], rotation=60, ha="right")
        axes.set(ylabel="share of the parts", ylim=(0, 1))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, fontsize=7)

    said = f"the last {len(shown)} of {len(lots)} lots" if len(lots) > len(shown) else "all lots"
    return Chart(
        name="verdicts_by_lot",
        title="What was decided in each lot",
        says=f"Shares of accepted, reviewed and rejected parts in {said}.",
        columns=("lot", "parts", *(f"{v}{end}" for v in _COLORS for end in ("", "_low", "_high"))),
        rows=tuple(
            (
                lot["lot"],
                lot["parts"],
                *(lot[verdict][end] for verdict in _COLORS for end in ("value", "low", "high")),
            )
            for lot in lots
        ),
        svg=svg("verdicts_by_lot", paint, height=3.2),
    )


def pareto(kinds: Sequence[Mapping[str, Any]]) -> Chart:
    """Draw how many rejected parts showed each kind of defect, and what the most frequent make up."""
    shown = kinds[:_KINDS]
    places = np.arange(len(shown))

    def paint(axes: Axes) -> None:
        axes.bar(places, [row["parts"] for row in shown], width=0.8, color=ACCENT, edgecolor="none")
        axes.set_xticks(places, [short(row["kind"]) for row in shown], rotation=60, ha="right")
        axes.set_ylabel("rejected parts")
        share = axes.twinx()
        share.plot(places, [row["cumulative"] for row in shown], color=WARM, marker="o", markersize=3)
        share.set(ylim=(0, 1.05), ylabel="share with those before")
        share.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))

    first = shown[0]
    return Chart(
        name="pareto",
        title="Which defects are most frequent",
        says=f"{first['kind']} is {first['share']:.0%} of what was found on rejected parts.",
        columns=("kind", "parts", "share", "cumulative"),
        rows=tuple((row["kind"], row["parts"], row["share"], row["cumulative"]) for row in kinds),
        svg=svg("pareto", paint),
    )


def kinds_by_day(kinds: Sequence[Mapping[str, Any]]) -> Chart:
    """Draw the five most frequent kinds of defects over the days."""
    days = sorted({day for row in kinds for day in row["days"]})
    shown = kinds[:5]
    styles = ((ACCENT, "-"), (WARM, "-"), (MUTED, "-"), (ACCENT, ":"), (WARM, ":"))

    def paint(axes: Axes) -> None:
        for row, (color, style) in zip(shown, styles, strict=False):
            counts = [row["days"].get(day, 0) for day in days]
            axes.plot(days, counts, color=color, linestyle=style, label=short(row["kind"]))
        axes.set(ylabel="rejected parts", ylim=(0, None))
        axes.set_xticks(range(0, len(days), max(1, len(days) // 6)))
        axes.tick_params(axis="x", rotation=60)
        axes.legend(fontsize=7)

    return Chart(
        name="kinds_by_day",
        title="Defects from day to day",
        says=f"The {len(shown)} most frequent kinds over {len(days)} days, in UTC.",
        columns=("day", *(row["kind"] for row in kinds)),
        rows=tuple((day, *(row["days"].get(day, 0) for row in kinds)) for day in days),
        svg=svg("kinds_by_day", paint),
    )
