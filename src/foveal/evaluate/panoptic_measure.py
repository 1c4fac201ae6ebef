"""What a panoptic recognizer did on each picture, and what all of it is worth; a `SceneMeasure`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.predictor import Predictor
from foveal.core.errors import UsageError
from foveal.core.types import Measured
from foveal.data.dataset import Dataset, UInt8
from foveal.data.scene import VOID
from foveal.data.truths import stated_regions
from foveal.evaluate.paired_scenes import both_pq, value_of_segments
from foveal.evaluate.panoptic import Both, given, seen_on, there, things_of
from foveal.evaluate.scene_measures import OutlinesMeasure
from foveal.metrics._by_units import Units
from foveal.metrics._found import Found, Truth
from foveal.metrics.match import Matches
from foveal.metrics.paired_resampling import Value
from foveal.metrics.panoptic_quality import panoptic_counts, panoptic_quality

Floats = NDArray[np.float64]


class Divided(NamedTuple):
    """What was done on one picture.

    Attributes:
        found: All objects that were answered, with masks.
        truth: Those that are there.
        counts: Of `panoptic_counts`, (K, 4).
    """

    found: Found
    truth: Truth
    counts: Floats


class PanopticMeasure:
    """Mean panoptic quality over all classes, in the pixels of the pictures."""

    name: ClassVar[str] = "pq"

    def __init__(self, predictor: Predictor, dataset: Dataset, classes: Sequence[str]) -> None:
        """Make ready; see `SceneMeasure`."""
        self._predictor, self._outlines = predictor, OutlinesMeasure(predictor, dataset, classes)
        self._areas, self.size = stated_regions(dataset, classes=classes), self._outlines.size
        self._to = np.full(VOID + 1, VOID, np.uint8)
        self._to[: len(predictor.classes)] = [classes.index(name) for name in predictor.classes]
        self._things = np.isin(list(classes), list(predictor.manifest.things))

    def truth(self, index: int) -> Both:
        """Return the objects of a picture with their masks, and the class of each pixel."""
        return self._outlines.truth(index), self._areas(index)

    def look(self, images: UInt8, indices: Sequence[int]) -> list[Divided]:
        """Return for each picture how it was divided beside how it is."""
        own, done = things_of(self._predictor), []
        seen = seen_on(self._predictor, images, [self.size(index) for index in indices])
        for (found, sighting), index in zip(seen, indices, strict=True):
            truth, areas = self.truth(index)
            segments = given(sighting, own)
            segments = replace(segments, regions=self._to[segments.regions])
            counts = panoptic_counts(segments, there(truth, areas), things=self._things)
            done.append(
                Divided(replace(found, labels=self._to[found.labels].astype(np.int64)), truth, counts)
            )
        return done

    def together(self, parts: Sequence[Divided]) -> Floats:
        """Return the counts as one array (N, K, 4)."""
        return np.stack([part.counts for part in parts])

    def objects(self, parts: Sequence[Divided]) -> Matches:
        """Return which of all objects that were found are there, by their masks."""
        return self._outlines.objects([(part.found, part.truth) for part in parts])

    @staticmethod
    def worth(done: Floats, *, units: Units, seed: int) -> Measured:
        """Return the mean panoptic quality with its interval."""
        nobody = np.zeros(done.shape[1], np.bool_)  # which classes are counted is asked for other means alone
        found = panoptic_quality(done, things=nobody, units=units, seed=seed).all.pq
        if found is None:
            raise UsageError("panoptic quality needs something that is there or found", code="empty")
        return found

    @staticmethod
    def alone(done: Floats) -> Value:
        """Return the mean panoptic quality of resamples."""
        return value_of_segments(done)

    @staticmethod
    def both(first: Floats, second: Floats) -> Value:
        """Return that of two recognizers together."""
        return both_pq(first, second)
