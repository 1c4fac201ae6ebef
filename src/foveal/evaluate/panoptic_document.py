"""The evaluation document of a panoptic recognizer: `foveal.evaluate/1` with PQ, objects and areas."""

from dataclasses import dataclass, replace
from typing import Any

from foveal.core.types import Measured
from foveal.evaluate.objects_document import Misjudged, ObjectMetrics
from foveal.evaluate.regions_document import RegionMetrics
from foveal.evaluate.scene_document import SceneReport
from foveal.metrics.panoptic_quality import PanopticQuality, Qualities
from foveal.tasks.detect.decode import ObjectDecision


@dataclass(frozen=True, kw_only=True)
class PanopticReport(SceneReport):
    """What was measured of one panoptic recognizer on one set of pictures.

    Attributes:
        things: Classes whose objects are counted, by label; the others are only there.
        decision: The thresholds that were applied.
        quality: How well pictures are divided.
        objects: How well objects are found, whatever the pixels say.
        regions: How well pixels are given a class, whatever object they belong to.
        worst_pictures: Those with most segments missed or invented.
    """

    things: tuple[int, ...]
    decision: ObjectDecision
    quality: PanopticQuality
    objects: ObjectMetrics
    regions: RegionMetrics
    worst_pictures: tuple[Misjudged, ...]

    @property
    def measured(self) -> dict[str, Any]:
        """The entries of the document that are of this task."""
        of_objects = self.objects.as_json(self.classes, self.decision.thresholds)
        of_regions = self.regions.as_json(self.classes)
        rows = []
        for label, (found, area) in enumerate(
            zip(of_objects.pop("per_class"), of_regions.pop("per_class"), strict=True)
        ):
            thing = label in self.things
            told = {"class": found["class"], "thing": thing, **_told(self.quality.per_class[label])}
            rows.append({**area, **(found if thing else {}), **told})
        metrics = {
            **_told(self.quality.all),
            **{f"{name}_things": value for name, value in _told(self.quality.things).items()},
            **{f"{name}_stuff": value for name, value in _told(self.quality.stuff).items()},
            **of_objects,
            **of_regions,
            "per_class": rows,
        }
        return {
            "things": [self.classes[label] for label in self.things],
            "metrics": metrics,
            "confusion": self.regions.confusion.tolist(),
            "worst_pictures": [
                {"source": one.source, "missed": one.missed, "invented": one.invented}
                for one in self.worst_pictures
            ],
        }

    def without_names(self) -> "PanopticReport":
        """Return the same report with numbers in place of the pictures' names: what a bundle may carry."""
        worst = tuple(replace(one, source=f"#{place}") for place, one in enumerate(self.worst_pictures))
        return replace(super().without_names(), worst_pictures=worst)


def _told(qualities: Qualities) -> dict[str, Any]:
    """Return three numbers, None where there is nothing true and nothing found."""
    each: dict[str, Measured | None] = {"pq": qualities.pq, "sq": qualities.sq, "rq": qualities.rq}
    return {name: None if value is None else value.as_json() for name, value in each.items()}
