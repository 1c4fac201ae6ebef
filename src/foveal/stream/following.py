"""Objects of a film that keep their number from frame to frame, and are counted where they go."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.inputs import measured
from foveal.bundle.predictor import Predictor
from foveal.bundle.tiled import Tiled
from foveal.core.types import Sighting
from foveal.data.outline import Runs
from foveal.stream.places import Counted, Places
from foveal.stream.shot import Picture
from foveal.stream.tracking.lines import Line
from foveal.stream.tracking.tracker import Rules, Tracked, Tracker
from foveal.stream.tracking.zones import Zone
from foveal.tasks.detect.decode import ObjectAnswers, original, told
from foveal.tasks.detect.masks import masks_of

# Scores are measured by what each class needs: 0.5 is its threshold, so what is shown may begin a track.
_RULES = Rules(sure=0.5, doubtful=0.1, begins=0.5)
_BAND = 0.02  # of the shorter side of the frame: what trembles by less has not crossed

Floats = NDArray[np.float64]


class Following:
    """Finds objects on one frame after the other, and knows which of them it has seen before.

    What is shown is what the detector is sure enough of, and beside it what it is less sure of where an
    object was expected that has been followed. Used from one thread at a time.
    """

    def __init__(self, predictor: Predictor, places: Places, tiled: Tiled | None = None) -> None:
        """Begin without an object.

        Args:
            predictor: A detector.
            places: Where to count.
            tiled: The same, looking at a frame tile by tile; None: at the whole of it.
        """
        self._predictor, self._places, self._tiled = predictor, places, tiled
        self._limits = np.array(predictor.manifest.objects.thresholds, np.float32)
        self._tracker = Tracker(_RULES)
        self._lines: list[Line] = []
        self._zones: list[Zone] = []
        self._begun = False
        self._labels: dict[int, int] = {}  # of each track that is confirmed and may come back
        self._ended: Counter[int] = Counter()  # of those that were confirmed

    def cut(self, time_s: float) -> None:
        """Let nothing go on with what was seen before, as where a film begins anew; counts stay."""
        self._count(self._tracker.cut(time_s))

    def see(self, picture: Picture, source: str, time_s: float) -> Sighting:
        """Return what is where on the next frame.

        Args:
            picture: Pixels, uint8 (H, W, C), or the content of a picture file.
            source: What the answer says that it is for.
            time_s: Time of the frame; not before that of the last one.

        Raises:
            ImageError: It cannot be used; nothing has changed.
            UsageError: `outside`: a place lies beside the first frame.
            BundleError: The model's answer makes no sense.
        """
        answers, (height, width) = self._looked(picture)
        if not self._begun:
            self._begin(width, height)
        rank = relative(answers.scores, self._limits[answers.labels])
        kept = np.flatnonzero((rank >= _RULES.doubtful) & (answers.scores > 0))
        boxes = answers.boxes[kept]
        tracked = self._tracker.update(boxes, rank[kept], answers.labels[kept], time_s)
        self._count(tracked)
        classes, said = self._predictor.classes, self._predictor.manifest.attributes
        outlines: Sequence[Runs | None] = [None] * len(kept)
        if answers.masks is not None:
            outlines = masks_of(answers.masks[kept], boxes, (height, width), self._predictor.preprocess)
        found = list(told(answers.at(kept), boxes, outlines, classes, said))
        for row, at in enumerate(tracked.detections.tolist()):
            if tracked.confirmed[row]:
                name, label = int(tracked.ids[row]), classes[int(tracked.labels[row])]
                found[at] = replace(found[at], label=label, track=name)
        sure = rank[kept] >= _RULES.sure
        shown = [one for one, enough in zip(found, sure, strict=True) if enough or one.track is not None]
        return Sighting(source, width=width, height=height, objects=tuple(shown))

    def _looked(self, picture: Picture) -> tuple[ObjectAnswers, tuple[int, int]]:
        """Return the answers for a frame, with boxes in its pixels, and its height and width."""
        if self._tiled is not None:
            pixels = self._tiled.pixels(picture)
            return self._tiled.look(pixels).at(0), (pixels.shape[0], pixels.shape[1])
        preprocess = self._predictor.preprocess
        image, size = measured(picture, preprocess)
        answers = self._predictor.look(image[None]).at(0)
        return answers._replace(boxes=original(answers.boxes, size, preprocess)), size

    def read(self) -> Counted | None:
        """Return what was counted up to now; None before the first frame."""
        if not self._begun:
            return None
        followed = self._ended + Counter(self._labels.values())
        return Counted(
            self._places,
            tuple(line.read() for line in self._lines),
            tuple(zone.read() for zone in self._zones),
            {self._predictor.classes[label]: number for label, number in sorted(followed.items())},
            self._predictor.classes,
        )

    def _begin(self, width: int, height: int) -> None:
        places, band = self._places, _BAND * min(width, height)
        places.check(width, height)
        self._lines = [
            Line(place.points[0], place.points[1], band=band, anchor=places.anchor) for place in places.lines
        ]
        self._zones = [Zone(place.points, band=band, anchor=places.anchor) for place in places.zones]
        self._begun = True

    def _count(self, tracked: Tracked) -> None:
        for line in self._lines:
            line.update(tracked)
        for zone in self._zones:
            zone.update(tracked)
        sure = tracked.confirmed
        self._labels |= dict(zip(tracked.ids[sure].tolist(), tracked.labels[sure].tolist(), strict=True))
        over = [self._labels.pop(name) for name in tracked.ended.tolist() if name in self._labels]
        self._ended.update(over)


def relative(scores: NDArray[np.floating], limits: NDArray[np.floating]) -> Floats:
    """Return scores in [0, 1] measured by limits in [0, 1]: 0.5 at the limit, straight on both sides of it.

    Args:
        scores: (D,).
        limits: From which on each counts, (D,).
    """
    at, limit = np.asarray(scores, np.float64), np.asarray(limits, np.float64)
    room = 1 - limit
    half = np.full(len(at), 0.5)
    below = np.divide(np.minimum(at, limit), 2 * limit, out=half.copy(), where=limit > 0)
    above = half + np.divide(np.maximum(at - limit, 0), 2 * room, out=half.copy(), where=room > 0)
    ranks: Floats = np.where(at >= limit, above, np.minimum(below, 0.4999))
    return ranks
