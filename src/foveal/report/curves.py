"""Curves of a report: how it learned, whether its confidence is honest, what declining buys."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from foveal.report import words
from foveal.report.chart import Chart
from foveal.report.drawing import ACCENT, INK, LINE, MUTED, WARM, svg

Row = Mapping[str, Any]


def learning_curve(history: Sequence[Row], *, of: str) -> Chart:
    """Draw the loss or the accuracy of the training batches against the images seen."""
    rows = [row for row in history if row.get(of) is not None]
    seen = np.array([row["seen"] for row in rows], dtype=np.float64)
    values = np.array([row[of] for row in rows], dtype=np.float64)
    name = f"learning_{of}"
    scale, unit = (1e6, "million images seen") if seen.max() >= 2e6 else (1e3, "thousand images seen")

    def paint(axes: Axes) -> None:
        axes.plot(seen / scale, values, color=ACCENT)
        axes.set(xlabel=unit, ylabel=f"{of} of the training batches")
        axes.grid(axis="y")
        if of == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))

    first, last = (words.percent(v) if of == "accuracy" else f"{v:.3g}" for v in (values[0], values[-1]))
    return Chart(
        name=name,
        title=f"{of.capitalize()} while training",
        says=f"The {of} of the training batches goes from {first} to {last}.",
        columns=("step", "seen", of, "learning_rate"),
        rows=tuple((r["step"], r["seen"], r[of], r["learning_rate"]) for r in rows),
        svg=svg(name, paint),
    )


def reliability(bins: Sequence[Row], *, calibration: str) -> Chart:
    """Draw the share of right answers against the stated confidence (Niculescu-Mizil & Caruana, 2005)."""
    total = sum(row["n"] for row in bins)
    confidence = [row["confidence"] for row in bins]
    value, low, high = (np.array([row["accuracy"][key] for row in bins]) for key in ("value", "low", "high"))

    def paint(axes: Axes) -> None:
        for row in bins:
            width = row["high"] - row["low"]
            axes.bar(row["low"], row["n"] / total, width=width, align="edge", color=LINE, edgecolor="none")
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.vlines(confidence, low, high, color=ACCENT, linewidth=1.2)
        axes.plot(confidence, value, "o", color=ACCENT, markersize=4)
        axes.set(
            xlim=(0, 1),
            ylim=(0, 1.02),
            xlabel="stated confidence (bars: share of the images)",
            ylabel="share of right answers",
        )
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))

    return Chart(
        name="reliability",
        title="Is the confidence honest?",
        says=calibration,
        columns=("low", "high", "n", "confidence", "accuracy", "accuracy_low", "accuracy_high"),
        rows=tuple(
            (*(r[key] for key in ("low", "high", "n", "confidence")), *interval)
            for r, interval in zip(
                bins, zip(value.tolist(), low.tolist(), high.tolist(), strict=True), strict=True
            )
        ),
        svg=svg("reliability", paint),
    )


def risk_coverage(points: Sequence[Sequence[float]], coverage: Row) -> Chart:
    """Draw the share of wrong answers against the share of images answered, the surest first.

    Source: El-Yaniv & Wiener, "On the Foundations of Noise-free Selective Classification", 2010.
    """
    answered, wrong = (np.array(column, dtype=np.float64) for column in zip(*points, strict=True))
    proven = coverage["threshold"] is not None

    def paint(axes: Axes) -> None:
        axes.plot(answered, wrong, color=ACCENT)
        axes.axhline(coverage["risk"], color=WARM, linewidth=0.9, linestyle=(0, (4, 3)))
        if proven:
            risk = float(np.interp(coverage["value"], answered, wrong))
            axes.plot([coverage["value"]], [risk], "o", color=INK, markersize=5)
            axes.annotate(
                "chosen", (coverage["value"], risk), (-6, 8), textcoords="offset points", ha="right"
            )
        axes.set(xlim=(0, 1), xlabel="images answered, surest first", ylabel="wrong among the answers")
        axes.set_ylim(0, max(float(wrong.max()), coverage["risk"] * 2) * 1.1)
        axes.text(0.02, coverage["risk"], f"limit {words.limit(coverage['risk'])}", color=WARM, va="bottom")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1))

    everything = words.percent(float(wrong[answered.argmax()]))
    chosen = f"; the chosen threshold answers {words.measured(coverage)}" if proven else ""
    return Chart(
        name="risk_coverage",
        title="What does declining buy?",
        says=f"Answering all {coverage['n']:,} images, {everything} of the answers are wrong{chosen}.",
        columns=("coverage", "risk"),
        rows=tuple((float(c), float(r)) for c, r in zip(answered, wrong, strict=True)),
        svg=svg("risk_coverage", paint),
    )
