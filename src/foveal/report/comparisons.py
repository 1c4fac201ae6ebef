"""Drawings that compare: classes with each other, answers with the truth, disturbed with clean images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from foveal.report import words
from foveal.report.chart import Chart, short
from foveal.report.drawing import ACCENT, INK, MUTED, svg

Row = Mapping[str, Any]
_READABLE_CELLS = 25  # classes up to which a confusion matrix has room for its numbers
_READABLE_NAMES = 100  # classes up to which a drawing has room for their names


def class_recalls(per_class: Sequence[Row]) -> Chart:
    """Draw each class's recall with its interval, weakest on top; of many classes only the weakest."""
    tested = sorted((row for row in per_class if row["n"]), key=lambda row: float(row["recall"]["value"]))

    drawn = tested[:_READABLE_NAMES]

    def paint(axes: Axes) -> None:
        intervals(axes, [short(row["class"]) for row in drawn], [row["recall"] for row in drawn])
        axes.set_xlabel("recall")

    keys = ("value", "low", "high")
    return Chart(
        name="class_recall",
        title="Recall of each class"
        if drawn == tested
        else f"Recall of the {len(drawn)} weakest of {len(tested):,} classes",
        says="; ".join(f"{row['class']} {words.percent(row['recall']['value'])}" for row in drawn),
        columns=("class", "n", "recall", "recall_low", "recall_high", "precision"),
        rows=tuple(
            (r["class"], r["n"], *(r["recall"][k] for k in keys), (r["precision"] or {}).get("value"))
            for r in tested
        ),
        svg=svg("class_recall", paint, height=0.8 + 0.2 * len(drawn)),
    )


def confusion(matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> Chart:
    """Draw how often each class was taken for each, as shares of the true class.

    Few classes are drawn as shapes with their numbers in them; more as one embedded picture with a pixel per
    cell, because a shape per cell makes a file of a hundred megabytes at a thousand classes.
    """
    counts = np.array(matrix, dtype=np.int64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = len(classes)
    centred: dict[str, Any] = {"ha": "center", "va": "center", "size": 6}

    def paint(axes: Axes) -> None:
        seen = np.ma.masked_equal(shares, 0)
        if side <= _READABLE_CELLS:
            axes.pcolormesh(seen, cmap="Blues", vmin=0, vmax=1)
        else:
            place = (0, side, side, 0)
            axes.imshow(seen, cmap="Blues", vmin=0, vmax=1, extent=place, interpolation="none")
        for truth, label in zip(*np.nonzero(counts), strict=True) if side <= _READABLE_CELLS else ():
            colour = "white" if shares[truth, label] > 0.5 else INK
            axes.text(label + 0.5, truth + 0.5, str(counts[truth, label]), color=colour, **centred)
        named = side if side <= _READABLE_NAMES else 0
        names = [short(name) for name in classes[:named]]
        size = 8 if side <= _READABLE_CELLS else 4
        axes.set_xticks(np.arange(named) + 0.5, names, rotation=90, fontsize=size)
        axes.set_yticks(np.arange(named) + 0.5, names, fontsize=size)
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


def robustness(rows: Sequence[Row]) -> Chart:
    """Draw the accuracy on disturbed images, each with its interval, against that on the same undisturbed."""
    clean = next(row["accuracy"] for row in rows if row["corruption"] == "none")
    disturbed = [row for row in rows if row["corruption"] != "none"]
    ordered = sorted(disturbed, key=lambda row: float(row["accuracy"]["value"]))
    shown = [*(row for row in rows if row["corruption"] == "none"), *ordered]
    names = [row["corruption"].replace("_", " ") for row in ordered]

    def paint(axes: Axes) -> None:
        axes.axvline(clean["value"], color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        intervals(axes, names, [row["accuracy"] for row in ordered])
        axes.set_xlabel("accuracy (dashed: undisturbed)")

    keys = ("value", "low", "high", "n")
    return Chart(
        name="robustness",
        title="Accuracy on disturbed images",
        says="; ".join(
            f"{n} {words.percent(one['value'])}"
            for n, one in [("undisturbed", clean), *((r["corruption"], r["accuracy"]) for r in ordered)]
        ).replace("_", " "),
        columns=("corruption", "severity", "accuracy", "low", "high", "n"),
        rows=tuple((r["corruption"], r["severity"], *(r["accuracy"][k] for k in keys)) for r in shown),
        svg=svg("robustness", paint, height=0.8 + 0.2 * len(names)),
    )


def cross_validation(history: Sequence[Row]) -> Chart:
    """Draw the share of right answers of each setting that was tried, the best on top.

    Args:
        history: Rows with `cv_accuracy`, `cv_images`, `chosen` and the setting.
    """
    about = ("cv_accuracy", "cv_images", "chosen")
    tried = sorted(history, key=lambda row: (-float(row["cv_accuracy"]), not row["chosen"]))
    names = [", ".join(f"{k} {v:g}" for k, v in row.items() if k not in about) for row in tried]
    values = [float(row["cv_accuracy"]) for row in tried]
    best = next(place for place, row in enumerate(tried) if row["chosen"])

    def paint(axes: Axes) -> None:
        axes.plot(values, range(len(tried)), "o", color=MUTED, markersize=4)
        axes.plot(values[best], best, "o", color=ACCENT, markersize=6)
        axes.set_yticks(range(len(tried)), names)
        axes.set(ylim=(len(tried) - 0.2, -0.8), xlabel="right answers (blue: chosen)")
        axes.grid(axis="x")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=1))

    return Chart(
        name="cross_validation",
        title="Settings that were tried",
        says=f"{names[best]} was right most often, for {words.percent(values[best])} of "
        f"{int(tried[best]['cv_images']):,} training images.",
        columns=("setting", "cv_accuracy", "cv_images", "chosen"),
        rows=tuple((name, *(row[key] for key in about)) for name, row in zip(names, tried, strict=True)),
        svg=svg("cross_validation", paint, height=0.8 + 0.2 * len(tried)),
    )


def intervals(axes: Axes, names: Sequence[str], values: Sequence[Row]) -> None:
    """Draw one dot with its interval per name on axes, the first on top."""
    places = range(len(names))
    axes.hlines(
        places, [v["low"] for v in values], [v["high"] for v in values], color=ACCENT, alpha=0.4, lw=4
    )
    axes.plot([v["value"] for v in values], places, "o", color=ACCENT, markersize=4)
    axes.set_yticks(places, names)
    axes.set(xlim=(0, 1.01), ylim=(len(names) - 0.2, -0.8))
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
