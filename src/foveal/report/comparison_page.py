"""One self-contained page about several recognizers on the same pictures."""

from collections.abc import Mapping
from pathlib import PurePath

from foveal.data.dataset import UInt8
from foveal.report import comparison_words
from foveal.report.chart import Chart
from foveal.report.drawing import PALETTE
from foveal.report.page import templates
from foveal.report.pictures import embed
from foveal.report.side_by_side import efficiency, robustness, structure, trade_off
from foveal.report.words import Document


def comparison_page(document: Document, *, pictures: Mapping[str, UInt8]) -> str:
    """Return a comparison as one HTML page that loads nothing from outside.

    Args:
        document: The `foveal.compare/1` document.
        pictures: Those in its `disagreements` by source, uint8 (H, W, C); one that is missing is only named.
    """
    shown = {source: embed(pixels) for source, pixels in pictures.items()}
    sides: dict[tuple[str, str], list[Mapping[str, object]]] = {}
    for row in document["disagreements"]:
        picture = shown.get(row["source"])
        sides.setdefault((row["right"], row["wrong"]), []).append({**row, "picture": picture})
    charts = comparison_charts(document)
    return (
        templates()
        .get_template("comparison.html.j2")
        .render(
            name=f"Comparison on {PurePath(document['data']).name}",
            document=document,
            says=comparison_words,
            charts=charts,
            views=[chart for name, chart in charts.items() if name.startswith("structure_")],
            sides=sides,
            palette=PALETTE,
        )
    )


def comparison_charts(document: Document) -> dict[str, Chart]:
    """Return the charts of the page by name, as far as there is something to draw."""
    models = document["models"]
    views = dict.fromkeys(one["view"] for one in models[0]["structure"])
    drawn = [trade_off(models), robustness(models), *(structure(models, view) for view in views)]
    if document["curve"]:
        drawn.append(efficiency(document["curve"], [row["name"] for row in models]))
    return {chart.name: chart for chart in drawn}
