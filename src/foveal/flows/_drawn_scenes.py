"""Pictures with what was found on them, for the pages."""

from foveal.bundle.predictor import Predictor
from foveal.data.dataset import Dataset
from foveal.flows._scene_reports import SceneReport
from foveal.report.scenes_page import Shown


def drawn_mistakes(predictor: Predictor, report: SceneReport, dataset: Dataset) -> list[Shown]:
    """Return the pictures with most mistakes, with what the sealed file finds on them."""
    return []
