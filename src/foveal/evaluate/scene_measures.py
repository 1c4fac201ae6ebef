"""What a recognizer that says where something is did on each picture, and what all of it is worth."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.predictor import Predictor
from foveal.calibrate.objects import IOU, found_of, truth_of
from foveal.core.types import Measured
from foveal.data.dataset import Dataset, UInt8
from foveal.data.truths import stated, stated_regions
from foveal.evaluate.objects import found_on
from foveal.evaluate.paired_scenes import both_map, both_miou, value_of_matches, value_of_matrices
from foveal.metrics._by_units import Units
from foveal.metrics._found import Found, Truth
from foveal.metrics.map_interval import map_interval
from foveal.metrics.match import Matches, match
from foveal.metrics.mean_iou import mean_iou
from foveal.metrics.paired_resampling import Value
from foveal.metrics.pixel_confusion import pixel_confusion
from foveal.tasks.detect.decode import ObjectAnswers
from foveal.tasks.segment.decode import original


def size_of(dataset: Dataset, index: int) -> tuple[int, int]:
    """Return height and width of a picture of the data."""
    header = dataset.read(index).header()
    return header.height, header.width


class SceneMeasure(Protocol):
    """Counts on one picture after the other, and says what that is worth.

    Attributes:
        name: Of the number, in `evaluate`.
    """

    name: ClassVar[str]

    def __init__(self, predictor: Predictor, dataset: Dataset, classes: Sequence[str]) -> None:
        """Make ready.

        Args:
            predictor: The recognizer.
            dataset: With what is where on the pictures.
            classes: Names in the order that labels are counted in, the same for all that are compared.
        """
        ...

    def truth(self, index: int) -> Any:
        """Return what is there on a picture of the data; raises DataError where that cannot be read."""
        ...

    def size(self, index: int) -> tuple[int, int]:
        """Return height and width of a picture of the data."""
        ...

    def look(self, images: UInt8, indices: Sequence[int]) -> list[Any]:
        """Return what was done on pictures of the data, at model size."""
        ...

    def together(self, parts: Sequence[Any]) -> Any:
        """Return what was done on all of them, from what `look` returned for each."""
        ...

    @staticmethod
    def worth(done: Any, *, units: Units, seed: int) -> Measured:
        """Return the number with its interval, of what `together` returned."""
        ...

    @staticmethod
    def alone(done: Any) -> Value:
        """Return what the answers are worth with each picture as often as asked, int64 (B, N)."""
        ...

    @staticmethod
    def both(first: Any, second: Any) -> Value:
        """Return what two recognizers' answers are worth together; see `evaluate.paired_scenes`."""
        ...


class ObjectsMeasure:
    """Mean average precision of boxes at half overlap; a `SceneMeasure`."""

    name: ClassVar[str] = "map50"
    _masks: ClassVar[bool] = False

    def __init__(self, predictor: Predictor, dataset: Dataset, classes: Sequence[str]) -> None:
        """Make ready; see `SceneMeasure`."""
        self._predictor, self._classes = predictor, classes
        self._stated = stated(dataset, predictor.preprocess, classes=classes)
        self._to = np.array([classes.index(name) for name in predictor.classes], np.int64)
        self.size = partial(size_of, dataset)

    def truth(self, index: int) -> Truth:
        """Return the objects of a picture, in pixels of the model's input."""
        return truth_of(self._stated(index))

    def look(self, images: UInt8, indices: Sequence[int]) -> list[tuple[Found, Truth]]:
        """Return for each picture what was found and what is there."""
        found = self._found(self._predictor.look(images), indices)
        return [
            (replace(one, labels=self._to[one.labels]), self.truth(index))
            for one, index in zip(found, indices, strict=True)
        ]

    def _found(self, answers: ObjectAnswers, indices: Sequence[int]) -> list[Found]:
        return found_of(answers)

    def together(self, parts: Sequence[tuple[Found, Truth]]) -> Matches:
        """Return which of all that was found is there."""
        return self.objects(parts)

    def objects(self, parts: Sequence[tuple[Found, Truth]]) -> Matches:
        """Return the same: a detector knows nothing but objects."""
        found, truths = zip(*parts, strict=True)
        most, count = self._predictor.manifest.objects.objects, len(self._classes)
        return match(found, truths, classes=count, ious=[IOU], most=most, masks=self._masks)

    @staticmethod
    def worth(done: Matches, *, units: Units, seed: int) -> Measured:
        """Return the mean average precision with its interval."""
        return map_interval(done, units=units, seed=seed)

    @staticmethod
    def alone(done: Matches) -> Value:
        """Return the mean average precision of resamples."""
        return value_of_matches(done)

    @staticmethod
    def both(first: Matches, second: Matches) -> Value:
        """Return that of two recognizers together."""
        return both_map(first, second)


class OutlinesMeasure(ObjectsMeasure):
    """Mean average precision of masks at half overlap, in the pixels of the pictures; a `SceneMeasure`."""

    name: ClassVar[str] = "mask_map50"
    _masks: ClassVar[bool] = True

    def truth(self, index: int) -> Truth:
        """Return the objects of a picture with their masks."""
        return truth_of(self._stated(index), self.size(index))

    def _found(self, answers: ObjectAnswers, indices: Sequence[int]) -> list[Found]:
        return found_on(answers, [self.size(index) for index in indices], self._predictor.preprocess)


class AreasMeasure:
    """Mean intersection over union of all pixels; a `SceneMeasure`."""

    name: ClassVar[str] = "miou"

    def __init__(self, predictor: Predictor, dataset: Dataset, classes: Sequence[str]) -> None:
        """Make ready; see `SceneMeasure`."""
        self._predictor, self._classes = predictor, classes
        self.truth, self.size = stated_regions(dataset, classes=classes), partial(size_of, dataset)
        self._to = np.array([classes.index(name) for name in predictor.classes], np.uint8)

    def look(self, images: UInt8, indices: Sequence[int]) -> list[NDArray[np.int64]]:
        """Return for each picture how many pixels of each class were given each class, (K, K)."""
        preprocess, counted = self._predictor.preprocess, []
        for regions, index in zip(self._predictor.regions(images), indices, strict=True):
            truth = self.truth(index)
            found = self._to[original(regions, (truth.shape[0], truth.shape[1]), preprocess)]
            counted.append(pixel_confusion(found, truth, classes=len(self._classes)))
        return counted

    def together(self, parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        """Return them as one array (N, K, K)."""
        return np.stack(parts)

    @staticmethod
    def worth(done: NDArray[np.int64], *, units: Units, seed: int) -> Measured:
        """Return the mean intersection over union with its interval."""
        return mean_iou(done, units=units, seed=seed).mean

    @staticmethod
    def alone(done: NDArray[np.int64]) -> Value:
        """Return the mean intersection over union of resamples."""
        return value_of_matrices(done)

    @staticmethod
    def both(first: NDArray[np.int64], second: NDArray[np.int64]) -> Value:
        """Return that of two recognizers together."""
        return both_miou(first, second)
