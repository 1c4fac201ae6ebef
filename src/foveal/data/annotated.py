"""One pass over what is stated about the pictures of a data set: all boxes, and how much of each class."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import DataError, ImageError
from foveal.core.machine import usable_cpus
from foveal.core.parallel import in_order
from foveal.core.task import OBJECT_TASKS
from foveal.data.dataset import Dataset
from foveal.data.scene import VOID, Objects, Scenes

_CHUNK = 16
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Annotated:
    """What is stated about N pictures of K classes, M objects in all.

    Attributes:
        boxes: As they were written down, float32 (M, 4).
        labels: Class of each object, int64 (M,).
        pictures: Index of the picture that each object is on, int64 (M,).
        counts: How many objects of each class are on each picture, int64 (N, K), without those that are to be
            ignored; of class maps how many pixels are of each; where only some classes are counted, 1 or 0
            for the others.
        unused: Pictures of which nothing can be said, and why; what cannot be read as a picture is not here.
    """

    boxes: NDArray[np.float32] = field(repr=False)
    labels: Int64 = field(repr=False)
    pictures: Int64 = field(repr=False)
    counts: Int64 = field(repr=False)
    unused: tuple[tuple[int, DataError], ...] = field(repr=False)


_known: "WeakKeyDictionary[Scenes, Annotated]" = WeakKeyDictionary()  # several checks ask the same


def annotated(dataset: Dataset) -> Annotated:
    """Return what is stated about the pictures of a data set with scenes; a second time without reading it.

    Args:
        dataset: With scenes.
    """
    scenes = dataset.scenes
    assert scenes is not None
    if scenes not in _known:
        _known[scenes] = _look_through(dataset, scenes)
    return _known[scenes]


def _look_through(dataset: Dataset, scenes: Scenes) -> Annotated:
    found: list[Objects] = []
    counts = np.zeros((len(dataset), len(dataset.classes)), np.int64)
    unused: list[tuple[int, DataError]] = []

    def look(indices: range) -> list[tuple[Objects, Int64, DataError | None]]:
        return [_look(scenes, i, len(dataset.classes)) for i in indices]

    chunks = (range(i, min(i + _CHUNK, len(dataset))) for i in range(0, len(dataset), _CHUNK))
    rows: Iterator[tuple[Objects, Int64, DataError | None]] = (
        row for some in in_order(look, chunks, workers=usable_cpus(), name="foveal-scenes") for row in some
    )
    for i, (objects, count, error) in enumerate(rows):
        found.append(objects)
        counts[i] = count
        if error is not None and not isinstance(error, ImageError):
            unused.append((i, error))
    return Annotated(
        np.concatenate([np.empty((0, 4), np.float32), *(some.boxes for some in found)]),
        np.concatenate([np.empty(0, np.int64), *(some.labels for some in found)]),
        np.repeat(np.arange(len(found)), [len(some) for some in found]).astype(np.int64),
        counts,
        tuple(unused),
    )


def _pixels(scenes: Scenes, i: int, classes: int) -> Int64:
    assert scenes.regions is not None
    counts = np.bincount(scenes.regions(i).ravel(), minlength=VOID + 1)
    return counts[:classes].astype(np.int64)


def _look(scenes: Scenes, i: int, classes: int) -> tuple[Objects, Int64, DataError | None]:
    """Return what is on a picture, how much there is of each class, int64 (K,), or an error."""
    try:
        if scenes.task in OBJECT_TASKS:
            objects = scenes.objects(i)
            # Without outlines: those of many pictures would fill the memory.
            plain = Objects(objects.boxes, objects.labels, objects.ignored)
            counts = np.bincount(objects.labels[~objects.ignored], minlength=classes)
            if scenes.things is not None:
                there = _pixels(scenes, i, classes) > 0
                there[list(scenes.things)] = False
                counts += there  # what is not counted is there once, or not at all
            return plain, counts.astype(np.int64), None
        return Objects.none(), _pixels(scenes, i, classes), None
    except DataError as error:
        # A copy: the original's traceback would keep the picture's bytes alive.
        plain_error = type(error)(error.message, code=error.code, hint=error.hint, path=error.path)
        return Objects.none(), np.zeros(classes, np.int64), plain_error
