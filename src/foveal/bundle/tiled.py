"""Pictures that are much larger than a recognizer's input: looked at in tiles that overlap, told as one."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.inputs import Input, Pair, content, picture, source
from foveal.bundle.predictor import Predictor, Unreadable
from foveal.bundle.tiled_defects import see_defects
from foveal.core.errors import DataError, NotFoundError, UsageError
from foveal.core.machine import usable_cpus
from foveal.core.parallel import in_order
from foveal.core.types import Sighting
from foveal.data import decode as decoding
from foveal.data.pictures import RawPicture
from foveal.metrics.box_iou import box_iou
from foveal.tasks.detect.decode import ObjectAnswers, decode, original

OVERLAP = 0.25  # of neighbouring tiles: an object up to so long is whole in one of them
_PART = 0.7  # of the smaller of two boxes of a class that the other covers: then both mean one object
_OF_CUT = 0.5  # of its score by which something that its tile cuts is preferred to others
_NEAR = 0.02  # of a tile's side: what ends so close to its edge is cut
_SMALLEST = 32  # pixels of a tile

UInt8 = NDArray[np.uint8]


@dataclass(frozen=True)
class Tiled:
    """A detector, or what looks for defects, that looks at pictures tile by tile.

    Attributes:
        predictor: Looks at a tile.
        side: Of a tile in pixels of the picture; what is smaller than that is looked at as a whole, too.
    """

    predictor: Predictor
    side: int

    def __post_init__(self) -> None:
        task = self.predictor.manifest.task
        if task not in ("detect", "defect"):
            raise UsageError(
                f"tiles are for detectors and for what looks for defects; this recognizer is for {task}",
                code="other_task",
                hint="leave the tiles out; a detector can be trained on the boxes of outlines, too",
            )
        if self.side < _SMALLEST:
            raise UsageError(f"a tile has at least {_SMALLEST} pixels; got {self.side}")

    def see(self, pixels: UInt8, name: str) -> Sighting:
        """Return what is where on a picture, uint8 (H, W, channels of the detector); errors as `look`."""
        size = pixels.shape[0], pixels.shape[1]
        if self.predictor.manifest.task == "defect":
            return see_defects(self.predictor, pixels, tiles(*size, side=self.side), name)
        [seen] = decode(
            self.look(pixels),
            classes=self.predictor.classes,
            decision=self.predictor.manifest.objects,
            preprocess=self.predictor.preprocess.model_copy(update={"size": size[0], "width": size[1]}),
            sources=[name],
            sizes=[size],
        )
        return seen

    def look(self, pixels: UInt8) -> ObjectAnswers:
        """Return all answers for a picture, N = 1, the most certain first, in pixels of the picture.

        Answers of all tiles are put together. Of two of a class that mean the same object, the less certain
        one is dropped: where they overlap as the detector's own doubles do, or one lies in the other, as the
        part of an object does that a tile cuts. What ends where its tile does, inside of the picture, may be
        such a part, and counts half as certain there.

        Args:
            pixels: uint8 (H, W, channels of the detector).

        Raises:
            BundleError: The model's answer makes no sense.
        """
        size = pixels.shape[0], pixels.shape[1]
        windows = list(tiles(*size, side=self.side))
        parts = [self._answers(pixels, *window) for window in windows]
        cut = [_cut(part.boxes, window, size) for part, window in zip(parts, windows, strict=True)]
        return _merged(parts, cut, overlap=self.predictor.manifest.objects.overlap)

    def pixels(self, item: Input) -> UInt8:
        """Return the pixels of an input, uint8 (H, W, channels of the detector).

        Raises:
            ImageError, NotFoundError: It cannot be used.
        """
        channels = self.predictor.preprocess.channels
        if isinstance(item, np.ndarray):
            return RawPicture(picture(item)).decode(channels)
        if isinstance(item, Pair):
            raise UsageError("tiles are looked at alone, without a template", code="other_task")
        return decoding.decode(item if isinstance(item, bytes) else content(Path(item)), channels)

    def _answers(self, pixels: UInt8, top: int, left: int, bottom: int, right: int) -> ObjectAnswers:
        """Return what is found in a tile, in pixels of the picture, without the padding."""
        tile, preprocess = pixels[top:bottom, left:right], self.predictor.preprocess
        found = self.predictor.look(preprocess(tile)[None]).at(0)
        boxes = original(found.boxes, (bottom - top, right - left), preprocess)
        there = found.scores > 0
        moved = boxes + np.array([left, top, left, top], np.float32)
        kept = found.at(there)
        return kept._replace(boxes=moved[there], masks=None)

    def see_each(
        self, inputs: Iterable[Input], *, workers: int | None = None, batch: int = 1
    ) -> Generator[Sighting | Unreadable]:
        """Yield what is where on each input, in their order, while later ones are worked on.

        Args:
            inputs: Paths, the bytes of picture files, or pixels.
            workers: Threads; None: as many as the processors we may use.
            batch: As of `Predictor.see_each`; a worker takes one input at a time, which is many tiles.
        """
        numbered = enumerate(inputs)
        yield from in_order(self._seen, numbered, workers=workers or usable_cpus(), name="foveal-predict")

    def _seen(self, numbered: tuple[int, Input]) -> Sighting | Unreadable:
        index, item = numbered
        name = source(item, index)
        try:
            pixels = self.pixels(item)
        except (DataError, NotFoundError) as error:
            error.path = name
            return Unreadable(name, error)
        return self.see(pixels, name)


def tiles(height: int, width: int, *, side: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield top, left, bottom and right of tiles that cover a picture and overlap by a quarter at least.

    >>> list(tiles(100, 250, side=100))
    [(0, 0, 100, 100), (0, 75, 100, 175), (0, 150, 100, 250)]
    """
    for top in _starts(height, side):
        for left in _starts(width, side):
            yield top, left, min(top + side, height), min(left + side, width)


def _starts(length: int, side: int) -> list[int]:
    """Return where tiles begin along one side, evenly."""
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side * (1 - OVERLAP)))) + 1
    return [int(start) for start in np.linspace(0, length - side, count).round()]


def _cut(
    boxes: NDArray[np.float32], window: tuple[int, int, int, int], size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return which boxes (M, 4) end where their tile does and the picture goes on, bool (M,)."""
    top, left, bottom, right = window
    near_y, near_x = _NEAR * (bottom - top), _NEAR * (right - left)
    starts = ((boxes[:, 0] < left + near_x) & (left > 0)) | ((boxes[:, 1] < top + near_y) & (top > 0))
    ends_x = (boxes[:, 2] > right - near_x) & (right < size[1])
    return starts | ends_x | ((boxes[:, 3] > bottom - near_y) & (bottom < size[0]))


def _merged(
    parts: list[ObjectAnswers], cut: list[NDArray[np.bool_]], *, overlap: float | None
) -> ObjectAnswers:
    """Return the answers of several tiles as those for one picture, the most certain first, N = 1."""
    whole = ObjectAnswers.joined(parts)
    order = np.argsort(-whole.scores * np.where(np.concatenate(cut), _OF_CUT, 1.0), kind="stable")
    whole = whole.at(order)
    boxes, scores, labels = whole.boxes, whole.scores, whole.labels
    tile = np.repeat(np.arange(len(parts)), [len(part.scores) for part in parts])[order]
    kept = np.ones(len(scores), np.bool_)
    for row in range(len(scores)):
        if not kept[row]:
            continue
        later = np.flatnonzero(kept & (labels == labels[row]) & (tile != tile[row]))
        later = later[later > row]
        near = box_iou(boxes[row : row + 1], boxes[later])[0] > (overlap or 1.0)
        kept[later[near | (_covered(boxes[row], boxes[later]) > _PART)]] = False
    found = whole.at(kept)
    return found.at(np.argsort(-found.scores, kind="stable")).at(None)


def _covered(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return which share of the smaller one of two boxes lies in the other, (M,)."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    common = np.maximum(sides, 0).prod(axis=1)
    areas = np.maximum(others[:, 2:] - others[:, :2], 0).prod(axis=1)
    smaller = np.minimum(areas, np.maximum(box[2:] - box[:2], 0).prod())
    share: NDArray[np.float32] = common / np.maximum(smaller, 1e-6)
    return share
