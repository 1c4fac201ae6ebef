"""The evaluation document of what looks for defects: `foveal.evaluate/1` with what is measured of them."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.types import Measured
from foveal.evaluate.scene_document import SceneReport
from foveal.metrics._by_class import ByClass


@dataclass(frozen=True)
class KindMetrics:
    """What is told of the pictures of one class.

    Attributes:
        images: How many there are.
        shown: Share of them on which a place is shown at the thresholds of the bundle: of kinds what is
            found, of good ones what is not there. None where there are none.
        auroc: Of a kind, the probability that its pictures score above good ones; None of good ones, and
            where one of the two is missing.
    """

    images: int
    shown: Measured | None
    auroc: Measured | None


@dataclass(frozen=True)
class DefectMetrics:
    """Every number about one set of pictures; classes are indices here and names in the JSON.

    Attributes:
        image_auroc: The probability that a defective picture scores above a good one; None where one of the
            two is missing.
        false_calls: Share of good pictures called defective where 99 % of the defective ones are.
        iou: Intersection over union of what is good and of each kind; None where nothing is said of pixels.
        binary: The same where all kinds are one.
        kinds: Of each class.
        confusion: Pixels of each class (rows) given each class, int64 (K + 1, K + 1).
    """

    image_auroc: Measured | None
    false_calls: Measured | None
    iou: ByClass | None
    binary: ByClass | None
    kinds: tuple[KindMetrics, ...]
    confusion: NDArray[np.int64] = field(repr=False)

    def as_json(self, classes: tuple[str, ...]) -> dict[str, Any]:
        """Return the contract's `metrics` object."""
        overlaps = (None,) * len(classes) if self.iou is None else self.iou.per_class
        rows = [
            {
                "class": name,
                "images": kind.images,
                "shown": _json(kind.shown),
                "auroc": _json(kind.auroc),
                "iou": _json(overlap),
            }
            for name, kind, overlap in zip(classes, self.kinds, overlaps, strict=True)
        ]
        return {
            "image_auroc": _json(self.image_auroc),
            "false_call_at_99_recall": _json(self.false_calls),
            "miou": None if self.iou is None else self.iou.mean.as_json(),
            "binary_miou": None if self.binary is None else self.binary.mean.as_json(),
            "defect_iou": None if self.binary is None else _json(self.binary.per_class[1]),
            "per_class": rows,
        }


def _json(one: Measured | None) -> dict[str, Any] | None:
    return None if one is None else one.as_json()


@dataclass(frozen=True, kw_only=True)
class DefectReport(SceneReport):
    """What was measured of what looks for defects on one set of pictures.

    Attributes:
        metrics: The numbers.
        worst_pictures: Names of defective ones with the lowest scores and of good ones with the highest,
            whether each is defective, and its score.
    """

    metrics: DefectMetrics
    worst_pictures: tuple[tuple[str, bool, float], ...]

    @property
    def measured(self) -> dict[str, Any]:
        """The entries of the document that are of this task."""
        return {
            "metrics": self.metrics.as_json(self.classes),
            "confusion": self.metrics.confusion.tolist(),
            "worst_pictures": [
                {"source": source, "defective": defective, "score": score}
                for source, defective, score in self.worst_pictures
            ],
        }

    def without_names(self) -> "DefectReport":
        """Return the same report with numbers in place of the pictures' names: what a bundle may carry."""
        worst = tuple(
            (f"#{place}", defective, score) for place, (_, defective, score) in enumerate(self.worst_pictures)
        )
        return replace(super().without_names(), worst_pictures=worst)
