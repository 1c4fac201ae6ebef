"""The evaluation document of a segmenter: `foveal.evaluate/1` with what is measured of areas."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.evaluate.scene_document import SceneReport
from foveal.metrics._by_class import ByClass


@dataclass(frozen=True)
class RegionMetrics:
    """Every number about one set of pictures; classes are indices here and names in the JSON.

    Attributes:
        iou: Intersection over union from one confusion matrix of all pixels.
        accuracy: Share of the pixels whose class is right.
        boundary_f: F of the edges of areas.
        boundary_iou: Intersection over union of what lies near the edges.
        confusion: Pixels of each class (rows) given each class, int64 (K, K).
    """

    iou: ByClass
    accuracy: Measured
    boundary_f: ByClass
    boundary_iou: ByClass
    confusion: NDArray[np.int64] = field(repr=False)

    def as_json(self, classes: tuple[str, ...]) -> dict[str, Any]:
        """Return the contract's `metrics` object."""
        pixels, given = self.confusion.sum(axis=1), self.confusion.sum(axis=0)
        rows = []
        for label, name in enumerate(classes):
            measured = {
                "iou": self.iou.per_class[label],
                "boundary_f": self.boundary_f.per_class[label],
                "boundary_iou": self.boundary_iou.per_class[label],
            }
            rows.append(
                {
                    "class": name,
                    "pixels": int(pixels[label]),
                    "given": int(given[label]),
                    **{what: None if one is None else one.as_json() for what, one in measured.items()},
                }
            )
        return {
            "miou": self.iou.mean.as_json(),
            "pixel_accuracy": self.accuracy.as_json(),
            "boundary_f": self.boundary_f.mean.as_json(),
            "boundary_iou": self.boundary_iou.mean.as_json(),
            "per_class": rows,
        }


@dataclass(frozen=True, kw_only=True)
class RegionReport(SceneReport):
    """What was measured of one segmenter on one set of pictures.

    Attributes:
        metrics: The numbers.
        worst_pictures: Names of those with the smallest share of right pixels, with that share.
    """

    metrics: RegionMetrics
    worst_pictures: tuple[tuple[str, float], ...]

    @property
    def measured(self) -> dict[str, Any]:
        """The entries of the document that are of this task."""
        return {
            "metrics": self.metrics.as_json(self.classes),
            "confusion": self.metrics.confusion.tolist(),
            "worst_pictures": [
                {"source": source, "pixel_accuracy": share} for source, share in self.worst_pictures
            ],
        }

    def without_names(self) -> "RegionReport":
        """Return the same report with numbers in place of the pictures' names: what a bundle may carry."""
        worst = tuple((f"#{place}", share) for place, (_, share) in enumerate(self.worst_pictures))
        return replace(super().without_names(), worst_pictures=worst)
