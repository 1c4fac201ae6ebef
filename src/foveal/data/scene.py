"""What is where on a picture: objects with boxes and outlines, and the class of each pixel."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from foveal.core.task import Task
from foveal.data.outline import Outline

UInt8 = NDArray[np.uint8]
Float32 = NDArray[np.float32]
VOID = 255  # in a class map: nothing is said of the pixel, and nothing is asked about it


@dataclass(frozen=True)
class Objects:
    """What is stated about the objects on one picture.

    Attributes:
        boxes: Left, top, right and bottom in pixels of the upright picture, float32 (M, 4). The corner of the
            picture is (0, 0), the middle of its first pixel (0.5, 0.5); as written down, degenerate or not.
        labels: Indices into the classes, int64 (M,).
        ignored: Whether an object counts neither as found nor as missed (a crowd, a difficult one),
            bool (M,).
        outlines: What each object covers; () where only boxes are known.
        attributes: What else is said of each object, such as its colour; () where nothing is.
    """

    boxes: Float32
    labels: NDArray[np.int64]
    ignored: NDArray[np.bool_]
    outlines: tuple[Outline, ...] = field(default=(), repr=False)
    attributes: tuple[Mapping[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def none(cls) -> Self:
        """Return what is stated where there is no object."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.int64), np.empty(0, np.bool_))

    def only(self, kept: NDArray[np.bool_]) -> "Objects":
        """Return some of the objects; `kept` is bool (M,)."""
        return self.ordered(np.flatnonzero(kept))

    def ordered(self, places: NDArray[np.int64]) -> "Objects":
        """Return the objects at some places, int64 (P,), in their order."""
        return Objects(
            self.boxes[places],
            self.labels[places],
            self.ignored[places],
            tuple(self.outlines[i] for i in places.tolist()) if self.outlines else (),
            tuple(self.attributes[i] for i in places.tolist()) if self.attributes else (),
        )

    @property
    def sound(self) -> NDArray[np.bool_]:
        """Which boxes have two sides above 0, bool (M,); the others are mistakes, and nothing can be them."""
        sides = self.boxes[:, 2:] - self.boxes[:, :2]
        return np.asarray(sides.min(axis=1, initial=np.inf) > 0, np.bool_)

    def relabelled(self, to: NDArray[np.int64]) -> "Objects":
        """Return the objects with the labels `to[label]`."""
        return replace(self, labels=to[self.labels])


@dataclass(frozen=True)
class Scenes:
    """What is stated about the pictures of a data set, read as it is asked for.

    Attributes:
        task: What is to be learned from it.
        tasks: All that could be, the usual one first.
        objects: Returns what is stated about the objects of a picture; empty where nothing is.
        said: Returns a hash that changes with anything that is stated about a picture.
        regions: Returns the class of each pixel, uint8 (H, W) of the upright picture, `VOID` where nothing is
            said; None: classes are known for objects alone.
        files: Names of the files, below the root, that say it.
        things: Where objects and classes of pixels are both said, the classes whose objects are counted, by
            label; the others are only there, such as the sky. None: every class has objects.
    """

    task: Task
    tasks: tuple[Task, ...]
    objects: Callable[[int], Objects] = field(repr=False)
    said: Callable[[int], str] = field(repr=False)
    regions: Callable[[int], UInt8] | None = field(default=None, repr=False)
    files: tuple[str, ...] = field(default=(), repr=False)
    things: tuple[int, ...] | None = None

    @classmethod
    def listed(cls, tasks: Sequence[Task], objects: Sequence[Objects], classes: Sequence[str]) -> Self:
        """Return scenes whose objects were all read already.

        Args:
            tasks: What can be learned from them, the usual one first.
            objects: Of each picture.
            classes: Names in label order.
        """
        return cls(tasks[0], tuple(tasks), lambda i: objects[i], lambda i: said_of(objects[i], classes))


def said_of(objects: Objects, classes: Sequence[str]) -> str:
    """Return the sha256 of all that is stated about objects; names count, their order does not."""
    total = hashlib.sha256()
    for row in range(len(objects)):
        total.update(objects.boxes[row].tobytes())
        total.update(f"{classes[objects.labels[row]]}\0{int(objects.ignored[row])}\0".encode())
        if objects.outlines:
            total.update(objects.outlines[row].content)
        if objects.attributes:
            total.update(repr(sorted(objects.attributes[row].items())).encode())
    return total.hexdigest()


def strata(objects: Sequence[Objects], classes: int) -> NDArray[np.int64]:
    """Return for each picture the rarest class on it, int64 (N,); `classes` where nothing is.

    What divides pictures by these numbers gives each part its share of every class.

    Args:
        objects: Of each picture.
        classes: How many there are.
    """
    counts = np.zeros(classes, np.int64)
    for some in objects:
        counts += np.bincount(some.labels, minlength=classes)
    rank = np.argsort(np.argsort(counts, kind="stable"), kind="stable")
    return np.array(
        [some.labels[np.argmin(rank[some.labels])] if len(some) else classes for some in objects], np.int64
    )
