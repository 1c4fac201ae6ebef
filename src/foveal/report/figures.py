"""The figures of a report: one function each, the numbers beside the drawing."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from foveal.core import files
from foveal.core.errors import WriteError
from foveal.report import words
from foveal.report.drawing import ACCENT, INK, LINE, MUTED, WARM, svg

Row = Mapping[str, Any]
_READABLE_CELLS = 25  # classes up to which a confusion matrix has room for its numbers
_LONGEST_NAME = 28  # letters of a class name beside an axis


@dataclass(frozen=True)
class Chart:
    """One drawing with the numbers that it shows.

    Attributes:
        name: File name without suffix.
        title: What is drawn.
        says: What can be seen, for readers who cannot see it.
        columns: Heads of the table.
        rows: The table; shares are fractions, None where nothing could be measured.
        svg: A standalone SVG document.
    """

    name: str
    title: str
    says: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...] = field(repr=False)
    svg: str = field(repr=False)

    @property
    def csv(self) -> str:
        """The table as CSV text."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.columns, *self.rows])
        return words.readable(text.getvalue(), keep="\n")


def charts(document: words.Document, history: Sequence[Row] = ()) -> dict[str, Chart]:
    """Return every chart that the numbers allow, by name.

    Args:
        document: The `foveal.evaluate/1` document.
        history: Rows of `history.jsonl`; empty where only an evaluation took place.
    """
    metrics = document["metrics"]
    drawn = [
        learning_curve(history, of="loss") if history else None,
        learning_curve(history, of="accuracy") if any(row.get("accuracy") is not None for row in history) else None,
        reliability(document["reliability"], calibration=words.calibration(document)),
        risk_coverage(document["risk_coverage"], metrics["coverage_at_risk"]) if document["risk_coverage"] else None,
        class_recalls(metrics["per_class"]),
        confusion(document["confusion"], document["classes"]),
        robustness(document["robustness"], metrics["accuracy"]) if document.get("robustness") else None,
    ]
    return {chart.name: chart for chart in drawn if chart is not None}


def write_figures(document: words.Document, history: Sequence[Row], folder: Path) -> tuple[Path, ...]:
    """Write every chart as `<name>.svg` with its numbers in `<name>.csv`; return the SVG paths.

    Raises:
        WriteError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"cannot write figures to {folder}: {error.strerror}", path=folder) from error
    written = []
    for chart in charts(document, history).values():
        files.write_text(folder / f"{chart.name}.csv", chart.csv)
        files.write_text(folder / f"{chart.name}.svg", chart.svg)
        written.append(folder / f"{chart.name}.svg")
    return tuple(written)


def learning_curve(history: Sequence[Row], *, of: str) -> Chart:
    """Draw the loss or the accuracy of the training batches against the images seen."""
    rows = [row for row in history if row.get(of) is not None]
    seen = np.array([row["seen"] for row in rows], dtype=np.float64)
    values = np.array([row[of] for row in rows], dtype=np.float64)
    name = f"learning_{of}"
    scale, unit = (1e6, "million images seen") if seen.max() >= 2e6 else (1e3, "thousand images seen")

    def paint(axes: Axes) -> None:
        axes.plot(seen / scale, values, color=ACCENT, marker="o" if len(rows) < 3 else "")
        axes.set(xlabel=unit, ylabel=f"{of} of the training batches")
        axes.grid(axis="y")
        if of == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))

    first, last = (words.percent(v) if of == "accuracy" else f"{v:.3g}" for v in (values[0], values[-1]))
    return Chart(
        name=name,
        title=f"{of.capitalize()} while training",
        says=f"The {of} of the training batches goes from {first} to {last}.",
        columns=("step", "seen", of, "learning_rate", "seconds"),
        rows=tuple((r["step"], r["seen"], r[of], r.get("learning_rate"), r.get("seconds")) for r in rows),
        svg=svg(name, paint),
    )


def reliability(bins: Sequence[Row], *, calibration: str) -> Chart:
    """Draw the share of right answers against the stated confidence (Niculescu-Mizil & Caruana, 2005)."""
    total = max(1, sum(row["n"] for row in bins))
    filled = [row for row in bins if row["n"]]
    accuracy = [row["accuracy"] for row in filled]

    def paint(axes: Axes) -> None:
        for row in filled:
            width = row["high"] - row["low"]
            axes.bar(row["low"], row["n"] / total, width=width, align="edge", color=LINE, edgecolor="none")
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.errorbar(
            [row["confidence"] for row in filled],
            [a["value"] for a in accuracy],
            yerr=[[a["value"] - a["low"] for a in accuracy], [a["high"] - a["value"] for a in accuracy]],
            fmt="o", markersize=4, color=ACCENT, elinewidth=1.2,
        )  # fmt: skip
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="stated confidence", ylabel="share of right answers")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.text(0.03, 0.94, "bars: share of the images", color=MUTED, transform=axes.transAxes)

    return Chart(
        name="reliability",
        title="Is the confidence honest?",
        says=calibration,
        columns=("low", "high", "n", "confidence", "accuracy", "accuracy_low", "accuracy_high"),
        rows=tuple(
            (r["low"], r["high"], r["n"], r["confidence"], *((r["accuracy"] or {}).get(k) for k in ("value", "low", "high")))
            for r in bins
        ),
        svg=svg("reliability", paint),
    )


def risk_coverage(points: Sequence[Sequence[float]], coverage: Row) -> Chart:
    """Draw the share of wrong answers against the share of images answered, surest first (El-Yaniv & Wiener, 2010)."""
    answered, wrong = (np.array(column, dtype=np.float64) for column in zip(*points, strict=True))
    proven = coverage["threshold"] is not None

    def paint(axes: Axes) -> None:
        axes.plot(answered, wrong, color=ACCENT)
        axes.axhline(coverage["risk"], color=WARM, linewidth=0.9, linestyle=(0, (4, 3)))
        if proven:
            risk = float(np.interp(coverage["value"], answered, wrong))
            axes.plot([coverage["value"]], [risk], "o", color=INK, markersize=5)
            axes.annotate("chosen", (coverage["value"], risk), (-6, 8), textcoords="offset points", ha="right")
        axes.set(xlim=(0, 1), xlabel="images answered, surest first", ylabel="wrong among the answers")
        axes.set_ylim(0, max(float(wrong.max()), coverage["risk"] * 2) * 1.1)
        axes.text(0.02, coverage["risk"], f"limit {words.limit(coverage['risk'])}", color=WARM, va="bottom")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1))

    chosen = f"; the chosen threshold answers {words.percent(coverage['value'])}" if proven else ""
    return Chart(
        name="risk_coverage",
        title="What does declining buy?",
        says=f"Answering everything, {words.percent(float(wrong[answered.argmax()]))} of the answers are wrong{chosen}.",
        columns=("coverage", "risk"),
        rows=tuple((float(c), float(r)) for c, r in zip(answered, wrong, strict=True)),
        svg=svg("risk_coverage", paint),
    )


def class_recalls(per_class: Sequence[Row]) -> Chart:
    """Draw each class's recall with its interval, weakest on top."""
    tested = sorted((row for row in per_class if row["n"]), key=lambda row: float(row["recall"]["value"]))

    def paint(axes: Axes) -> None:
        for place, row in enumerate(reversed(tested)):
            recall = row["recall"]
            axes.plot([recall["low"], recall["high"]], [place, place], color=LINE, linewidth=4, solid_capstyle="butt")
            axes.plot([recall["value"]], [place], "o", color=ACCENT, markersize=4)
        axes.set_yticks(range(len(tested)), [_short(row["class"]) for row in reversed(tested)])
        axes.set(xlim=(0, 1.01), ylim=(-0.8, len(tested) - 0.2), xlabel="recall")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))

    keys = ("value", "low", "high")
    return Chart(
        name="class_recall",
        title="Recall of each class",
        says="; ".join(f"{row['class']} {words.percent(row['recall']['value'])}" for row in tested),
        columns=("class", "n", "recall", "recall_low", "recall_high", "precision"),
        rows=tuple(
            (r["class"], r["n"], *(r["recall"][k] for k in keys), (r["precision"] or {}).get("value")) for r in tested
        ),
        svg=svg("class_recall", paint, height=0.8 + 0.2 * len(tested)),
    )


def confusion(matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> Chart:
    """Draw how often each class was taken for each, as shares of the true class."""
    counts = np.array(matrix, dtype=np.int64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = len(classes)

    def paint(axes: Axes) -> None:
        axes.pcolormesh(np.ma.masked_equal(shares, 0), cmap="Blues", vmin=0, vmax=1)
        for truth, label in zip(*np.nonzero(counts), strict=True) if side <= _READABLE_CELLS else ():
            colour = "white" if shares[truth, label] > 0.5 else INK
            axes.text(label + 0.5, truth + 0.5, str(counts[truth, label]), ha="center", va="center", color=colour, size=6)
        names = [_short(name) for name in classes]
        size = 8 if side <= _READABLE_CELLS else 4
        axes.set_xticks(np.arange(side) + 0.5, names, rotation=90, fontsize=size)
        axes.set_yticks(np.arange(side) + 0.5, names, fontsize=size)
        axes.set(xlabel="answer", ylabel="truth", aspect="equal", ylim=(side, 0))
        axes.tick_params(length=0)

    inches = min(12.0, max(3.6, 1.6 + 0.28 * side))
    return Chart(
        name="confusion",
        title="Which classes are taken for which",
        says=f"{int(np.trace(counts)):,} of {int(counts.sum()):,} images lie on the diagonal.",
        columns=("truth", *classes),
        rows=tuple((name, *map(int, row)) for name, row in zip(classes, counts, strict=True)),
        svg=svg("confusion", paint, width=inches, height=inches),
    )


def robustness(rows: Sequence[Row], clean: Row) -> Chart:
    """Draw the accuracy on disturbed images, each with its interval, against the undisturbed one."""
    ordered = sorted(rows, key=lambda row: float(row["accuracy"]["value"]), reverse=True)
    names = [f"{_short(row['name'])} {row['severity']}" for row in ordered]

    def paint(axes: Axes) -> None:
        axes.axvline(clean["value"], color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        for place, row in enumerate(ordered):
            accuracy = row["accuracy"]
            axes.plot([accuracy["low"], accuracy["high"]], [place, place], color=LINE, linewidth=4)
            axes.plot([accuracy["value"]], [place], "o", color=ACCENT, markersize=4)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlim=(0, 1.01), xlabel="accuracy (dashed: undisturbed)")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=len(names), integer=True))

    keys = ("value", "low", "high", "n")
    return Chart(
        name="robustness",
        title="Accuracy on disturbed images",
        says="; ".join(f"{n} {words.percent(r['accuracy']['value'])}" for n, r in zip(names, ordered, strict=True)),
        columns=("name", "severity", "accuracy", "low", "high", "n"),
        rows=tuple((r["name"], r["severity"], *(r["accuracy"][k] for k in keys)) for r in ordered),
        svg=svg("robustness", paint, height=0.8 + 0.2 * len(names)),
    )


def _short(name: str) -> str:
    """Return a class name that leaves room for the drawing."""
    name = words.readable(name)
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
