"""What a detector of what differs from a template is worth, by the protocol of template-based inspection.

A defect is found where its class is right and the overlap above 0.33: Tang et al., "Online PCB Defect
Detector On A New PCB Defect Dataset", 2019. Their script takes findings in the order of the file and of all
classes; here they are matched as COCO does, class by class, the surest first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.objects import shown
from foveal.core.types import Measured
from foveal.metrics._found import Found, Truth
from foveal.metrics.class_accuracy import ClassAccuracy, class_accuracy
from foveal.metrics.f1_at_threshold import DetectedByClass, f1_at_threshold
from foveal.metrics.map_interval import class_intervals, map_interval
from foveal.metrics.match import match
from foveal.tasks.detect.decode import ObjectDecision

IOU = 0.33


@dataclass(frozen=True)
class PairMetrics:
    """Every number about defects on one set of pairs; classes are indices here and names in the JSON.

    Attributes:
        map33: Mean over the classes of the average precision at an overlap of 0.33.
        pooled33: Average precision with the defects of all classes in one ranking.
        per_class: Average precision of each class; None for a class without defects.
        detected: Precision, recall and F1 at the bundle's thresholds, which other pairs chose.
        named: Of the defects that are found, how often the class is right.
        defects: How many there are of each class.
    """

    map33: Measured
    pooled33: Measured
    per_class: tuple[Measured | None, ...]
    detected: DetectedByClass
    named: ClassAccuracy
    defects: tuple[int, ...]

    def as_json(self, classes: Sequence[str]) -> dict[str, Any]:
        """Return the contract's entries.

        `defect_accuracy` is over all defects that are there: found, with the right class; a miss is wrong.
        """
        pooled = self.detected.pooled
        return {
            "map33": self.map33.as_json(),
            "pooled33": self.pooled33.as_json(),
            "f1": _json(pooled.f1),
            "precision": _json(pooled.precision),
            "defect_accuracy": _json(pooled.recall),
            "class_accuracy": _json(self.named.pooled),
            "defects": sum(self.defects),
            "kinds": [
                {
                    "name": name,
                    "defects": self.defects[label],
                    "ap33": _json(self.per_class[label]),
                    "f1": _json(self.detected.per_class[label].f1),
                    "defect_accuracy": _json(self.detected.per_class[label].recall),
                    "class_accuracy": _json(self.named.per_class[label]),
                }
                for label, name in enumerate(classes)
            ],
        }


def measure_pairs(
    found: Sequence[Found],
    truths: Sequence[Truth],
    decision: ObjectDecision,
    *,
    units: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> PairMetrics | None:
    """Return every number about what was found on N pairs; None where no defect is on any of them.

    Args:
        found: All answers, whatever their score.
        truths: What is there.
        decision: The bundle's thresholds; fitted on other pairs.
        units: What each pair belongs to, int64 (N,); whole units are drawn.
        seed: For resampled intervals.
    """
    if not any(len(truth) - int(truth.ignored.sum()) for truth in truths):
        return None
    classes = len(decision.thresholds)
    matches = match(found, truths, classes=classes, ious=[IOU], most=decision.objects)
    certain = [shown(one, decision.thresholds) for one in found]
    how: dict[str, Any] = {"units": units, "seed": seed}
    return PairMetrics(
        map33=map_interval(matches, **how),
        pooled33=map_interval(matches, pooled=True, **how),
        per_class=class_intervals(matches, **how),
        detected=f1_at_threshold(matches, np.array(decision.thresholds), **how),
        named=class_accuracy(certain, truths, classes=classes, iou=IOU, **how),
        defects=tuple(int(count) for count in matches.truths.sum(axis=0)),
    )


def _json(measured: Measured | None) -> dict[str, Any] | None:
    return None if measured is None else measured.as_json()
