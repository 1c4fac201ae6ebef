"""The evaluation document of a detector: `foveal.evaluate/1` with what is measured of objects."""

from dataclasses import dataclass, field, replace
from typing import Any

from foveal.core.types import Measured
from foveal.evaluate.scene_document import SceneReport
from foveal.metrics.attribute_accuracy import AttributeAccuracy
from foveal.metrics.counting_mae import CountErrors
from foveal.metrics.f1_at_threshold import Detected, DetectedByClass
from foveal.tasks.detect.decode import ObjectDecision


@dataclass(frozen=True)
class MaskMetrics:
    """How well outlines of objects fit: an overlap is that of masks, in the pixels of the pictures.

    Attributes:
        map50, map75: Mean average precision at an intersection over union of 0.5 and 0.75.
        map: Its mean over 0.5, 0.55, … 0.95.
        per_class: Average precision of each class at 0.5 and over all limits; None for a class without
            objects.
    """

    map50: Measured
    map75: Measured
    map: Measured
    per_class: tuple[tuple[float | None, float | None], ...]

    def as_json(self) -> dict[str, Any]:
        """Return their entries of the contract's `metrics` object."""
        return {
            "mask_map50": self.map50.as_json(),
            "mask_map75": self.map75.as_json(),
            "mask_map": self.map.as_json(),
        }

    def of_class(self, label: int) -> dict[str, Any]:
        """Return the entries of one class."""
        return {"mask_ap50": self.per_class[label][0], "mask_ap": self.per_class[label][1]}


@dataclass(frozen=True)
class ObjectMetrics:
    """Every number about one set of pictures; classes are indices here and names in the JSON.

    Attributes:
        map50, map75: Mean average precision at an intersection over union of 0.5 and 0.75.
        map: Its mean over 0.5, 0.55, … 0.95.
        pooled50: Average precision at 0.5 with the objects of all classes in one ranking.
        per_class: Average precision of each class at 0.5 and over all limits; None for a class without
            objects.
        detected: Precision, recall and F1 at the bundle's thresholds, at 0.5.
        counting: Errors of counts at these thresholds.
        ece: Expected calibration error of scores above 0.05, at an overlap of 0.5; None where nothing was
            found.
        objects: How many there are of each class.
        masks: How well outlines fit; None: only boxes are found.
        attributes: How often what is told beside the class is right, by the name of the attribute.
    """

    map50: Measured
    map75: Measured
    map: Measured
    pooled50: Measured
    per_class: tuple[tuple[float | None, float | None], ...]
    detected: DetectedByClass
    counting: CountErrors
    ece: float | None
    objects: tuple[int, ...]
    masks: MaskMetrics | None = None
    attributes: dict[str, AttributeAccuracy] = field(default_factory=dict)

    def as_json(self, classes: tuple[str, ...], thresholds: tuple[float, ...]) -> dict[str, Any]:
        """Return the contract's `metrics` object."""
        rows = []
        for label, name in enumerate(classes):
            shown, count = self.detected.per_class[label], self.counting.per_class[label]
            rows.append(
                {
                    "class": name,
                    "objects": self.objects[label],
                    "ap50": self.per_class[label][0],
                    "ap": self.per_class[label][1],
                    **({} if self.masks is None else self.masks.of_class(label)),
                    "threshold": thresholds[label],
                    **_detected(shown),
                    "counting_mae": count.mae.as_json(),
                    "counting_bias": count.bias.as_json(),
                }
            )
        pooled = self.detected.pooled
        return {
            "map50": self.map50.as_json(),
            "map75": self.map75.as_json(),
            "map": self.map.as_json(),
            **({} if self.masks is None else self.masks.as_json()),
            "pooled_ap50": self.pooled50.as_json(),
            **_detected(pooled),
            "class_mean_f1": _told(self.detected.mean_f1),
            "counting_mae": self.counting.total.mae.as_json(),
            "counting_bias": self.counting.total.bias.as_json(),
            "ece": self.ece,
            **({"attributes": [_said(*one) for one in self.attributes.items()]} if self.attributes else {}),
            "per_class": rows,
        }


def _said(name: str, found: AttributeAccuracy) -> dict[str, Any]:
    return {
        "attribute": name,
        "objects": found.objects,
        "accuracy": _told(found.accuracy),
        "told": _told(found.told),
        "told_accuracy": _told(found.told_accuracy),
    }


def _detected(found: Detected) -> dict[str, Any]:
    return {"f1": _told(found.f1), "precision": _told(found.precision), "recall": _told(found.recall)}


def _told(measured: Measured | None) -> dict[str, Any] | None:
    return None if measured is None else measured.as_json()


@dataclass(frozen=True)
class Misjudged:
    """A picture with what was missed on it and what was seen without being there."""

    source: str
    missed: int
    invented: int


@dataclass(frozen=True, kw_only=True)
class ObjectReport(SceneReport):
    """What was measured of one detector on one set of pictures.

    Attributes:
        decision: The thresholds that were applied.
        metrics: The numbers.
        worst_pictures: Those with most mistakes.
    """

    decision: ObjectDecision
    metrics: ObjectMetrics
    worst_pictures: tuple[Misjudged, ...]

    @property
    def measured(self) -> dict[str, Any]:
        """The entries of the document that are of this task."""
        return {
            "metrics": self.metrics.as_json(self.classes, self.decision.thresholds),
            "worst_pictures": [
                {"source": one.source, "missed": one.missed, "invented": one.invented}
                for one in self.worst_pictures
            ],
        }

    def without_names(self) -> "ObjectReport":
        """Return the same report with numbers in place of the pictures' names: what a bundle may carry."""
        worst = tuple(replace(one, source=f"#{place}") for place, one in enumerate(self.worst_pictures))
        return replace(super().without_names(), worst_pictures=worst)
