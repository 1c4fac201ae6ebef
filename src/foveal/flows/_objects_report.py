"""What a finished training of a detector leaves for people: the page."""

from collections.abc import Sequence
from pathlib import Path

from foveal.bundle.predictor import Predictor
from foveal.bundle.ways import REFERENCE
from foveal.core import files
from foveal.evaluate.objects_document import ObjectReport
from foveal.export.parity import Parity
from foveal.flows._drawn_objects import drawn_mistakes
from foveal.flows._prepare import Prepared
from foveal.report.objects_page import objects_page
from foveal.report.page import refusal_page


def write_objects_report(
    run: Path, report: ObjectReport, prepared: Prepared, history: Sequence[dict[str, float]]
) -> Path:
    """Write `report.html` into a run folder, and return its path.

    Args:
        run: The run folder.
        report: Of the bundle, which is asked again for the pictures that are shown.
        prepared: Gives the pictures.
        history: Rows of the learning curve.
    """
    predictor = Predictor.open(str(report.bundle), engine=REFERENCE)
    pictures = drawn_mistakes(predictor, report, prepared.dataset)
    files.write_text(run / "report.html", objects_page(report.as_json(), history=history, pictures=pictures))
    return run / "report.html"


def write_objects_refusal(run: Path, parity: Parity, history: Sequence[dict[str, float]]) -> Path:
    """Write `report.html` for a run whose export was refused, and return its path."""
    page = refusal_page(parity.as_json(), parity.gate().limit, history=history)
    files.write_text(run / "report.html", page)
    return run / "report.html"
