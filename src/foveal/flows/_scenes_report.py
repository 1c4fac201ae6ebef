"""What a finished training that learned where something is leaves for people: the page."""

from collections.abc import Sequence
from pathlib import Path

from foveal.bundle.predictor import Predictor
from foveal.bundle.ways import REFERENCE
from foveal.core import files
from foveal.evaluate.scene_document import SceneReport
from foveal.export.parity import Parity
from foveal.flows._drawn_scenes import drawn_mistakes
from foveal.flows._prepare import Prepared
from foveal.report.page import refusal_page
from foveal.report.scenes_page import scenes_page


def write_scenes_report(
    run: Path, report: SceneReport, prepared: Prepared, history: Sequence[dict[str, float]]
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
    files.write_text(run / "report.html", scenes_page(report.as_json(), history=history, pictures=pictures))
    return run / "report.html"


def write_scenes_refusal(run: Path, parity: Parity, history: Sequence[dict[str, float]]) -> Path:
    """Write `report.html` for a run whose export was refused, and return its path."""
    page = refusal_page(parity.as_json(), parity.gate().limit, history=history)
    files.write_text(run / "report.html", page)
    return run / "report.html"
