"""What a certificate of a recognizer that says where something is may look at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foveal.certify.parts import evenly
from foveal.certify.subject import Examined
from foveal.core.batches import together
from foveal.core.parallel import in_order
from foveal.data.dataset import UInt8
from foveal.data.preprocess import GREY
from foveal.data.sizing import evenly_spaced
from foveal.evaluate.panoptic_measure import PanopticMeasure
from foveal.evaluate.scene_measures import ObjectsMeasure, SceneMeasure
from foveal.metrics._resampled import Resampled
from foveal.metrics.match import Matches


@dataclass(frozen=True)
class Located:
    """Pictures with what the file did on each.

    Attributes:
        indices: Which pictures of the data they are.
        read: Returns the model's input for one of them by its place among them, uint8 (H, W, C).
        done: What `SceneMeasure.look` returned for each.
        unreadable: Pictures that could not be used; they are not among the N.
    """

    indices: Sequence[int] = field(repr=False)
    read: Callable[[int], UInt8] = field(repr=False)
    done: Sequence[Any] = field(repr=False)
    unreadable: int = 0

    def __len__(self) -> int:
        return len(self.indices)

    def some(self, at_most: int) -> tuple[UInt8, list[int]]:
        """Return some of them, evenly spaced, uint8 (M, H, W, C), and their places among the N."""
        places = evenly_spaced(len(self), at_most=at_most)
        return np.stack([self.read(place) for place in places]), places


@dataclass(frozen=True, kw_only=True)
class SceneSubject(Examined):
    """All that a measurement may look at, of a recognizer that says where something is.

    Attributes:
        measure: Counts on one picture after the other, and says what that is worth.
        test: Pictures that it has not learned from and was not calibrated on; one of each that belong
            together.
        proving: Calibration pictures, one of each that belong together; None where these are not at hand, or
            chose something.
        tuning: Those of them, by their place, that choose which thresholds of precision are tested on the
            others.
    """

    measure: SceneMeasure
    test: Located
    proving: Located | None = None
    tuning: tuple[int, ...] = ()

    def few(self, at_most: int) -> UInt8:
        """Return some of the test pictures; see `Examined`."""
        return self.test.some(at_most)[0]

    def objects(self, done: Sequence[Any]) -> Matches:
        """Return which of all objects that were found are there.

        Raises:
            ValueError: The recognizer finds none: it is asked for areas.
        """
        if not isinstance(self.measure, ObjectsMeasure | PanopticMeasure):
            raise ValueError(f"{self.task} finds no objects")
        return self.measure.objects(done)

    @property
    def counted(self) -> tuple[int, ...]:
        """Labels of the classes whose objects are looked for: of what is panoptic those that are counted."""
        things = self.predictor.manifest.objects.things
        return tuple(range(len(self.predictor.classes))) if things is None else things

    def look(self, images: UInt8, places: Sequence[int]) -> list[Any]:
        """Return what the file does on changed test pictures.

        Args:
            images: At model size, uint8 (M, H, W, C).
            places: Which test pictures they were.
        """
        parts = in_order(
            lambda part: self.measure.look(
                images[part], [self.test.indices[place] for place in places[part]]
            ),
            evenly(len(images), at_most=together(images.shape[1:])),
            workers=self.threads,
            name="foveal-certify",
        )
        return [one for part in parts for one in part]

    def framed(self, images: UInt8, places: Sequence[int]) -> UInt8:
        """Return changed test pictures with the grey beside them as the preprocessing gives it.

        Args:
            images: At model size, uint8 (M, H, W, C).
            places: Which test pictures they were.
        """
        found = images.copy()
        for row, place in enumerate(places):
            size = self.measure.size(self.test.indices[place])
            height, width = self.predictor.preprocess.fitted(*size)
            found[row, height:] = found[row, :, width:] = GREY
        return found

    def worth(self, done: Sequence[Any]) -> Resampled:
        """Return what was done is worth; numbers of the same pictures are drawn alike.

        Raises:
            UsageError: `empty`: nothing is there on any of the pictures.
        """
        value = self.measure.alone(self.measure.together(done))
        return Resampled.of(len(done), value, draws=self.level.draws, seed=self.seed)
