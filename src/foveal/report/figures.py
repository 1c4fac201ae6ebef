"""All figures of a report, and the folder of files they become."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from foveal.core import files
from foveal.core.errors import WriteError
from foveal.report import words
from foveal.report.chart import Chart
from foveal.report.comparisons import class_recalls, confusion, cross_validation, robustness
from foveal.report.curves import learning_curve, reliability, risk_coverage

Row = Mapping[str, Any]


def page_charts(document: words.Document, history: Sequence[Row] = ()) -> dict[str, Chart]:
    """Return the charts that a page shows, as far as there is something to draw, by name.

    Args:
        document: The `foveal.evaluate/1` document.
        history: Rows of `history.jsonl`; empty where only an evaluation took place.
    """
    metrics = document["metrics"]
    drawn = [
        *learning_charts(history).values(),
        reliability(document["reliability"], calibration=words.calibration(document)),
        risk_coverage(document["risk_coverage"], metrics["coverage_at_risk"]),
    ]
    if document["robustness"]:
        drawn.append(robustness(document["robustness"]))
    return {chart.name: chart for chart in drawn}


def learning_charts(history: Sequence[Row]) -> dict[str, Chart]:
    """Return the learning curves that have at least two points, or what cross-validation found, by name."""
    drawn = [learning_curve(history, of=name) for name in ("loss", "accuracy") if _points(history, name) > 1]
    if _points(history, "cv_accuracy") > 1:
        drawn.append(cross_validation(history))
    return {chart.name: chart for chart in drawn}


def write_figures(document: words.Document, history: Sequence[Row], folder: Path) -> tuple[Path, ...]:
    """Write each chart as `<name>.svg` with its numbers in `<name>.csv`; return the SVG paths.

    These are the charts of the page and those that it shows as tables: classes and confusion matrix.

    Raises:
        WriteError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"cannot write figures to {folder}: {error.strerror}", path=folder) from error
    tables = (
        class_recalls(document["metrics"]["per_class"]),
        confusion(document["confusion"], document["classes"]),
    )
    written = []
    for chart in (*page_charts(document, history).values(), *tables):
        files.write_text(folder / f"{chart.name}.csv", chart.csv)
        files.write_text(folder / f"{chart.name}.svg", chart.svg)
        written.append(folder / f"{chart.name}.svg")
    return tuple(written)


def _points(history: Sequence[Row], name: str) -> int:
    return sum(row.get(name) is not None for row in history)
