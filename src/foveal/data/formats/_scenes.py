"""From pictures with objects on them to a data set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.core.task import Task
from foveal.core.text import printable
from foveal.data.dataset import Dataset
from foveal.data.formats._annotations import stored
from foveal.data.formats._group_keys import by_name
from foveal.data.formats._groups import GROUPS
from foveal.data.outline import Outline
from foveal.data.scene import Objects, Scenes, strata
from foveal.data.suffixes import is_picture
from foveal.data.tree import Tree


class One(NamedTuple):
    """What is stated about one object.

    Attributes:
        box: Left, top, right and bottom.
        label: Name of its class.
        ignored: Whether it counts neither as found nor as missed.
        outline: What it covers, or None.
        attributes: What else is said of it.
    """

    box: tuple[float, float, float, float]
    label: str
    ignored: bool = False
    outline: Outline | None = None
    attributes: Mapping[str, str] = {}


class Shot(NamedTuple):
    """One picture: its name below the root, its split, and the objects on it."""

    name: str
    split: str
    objects: Sequence[One]


def together(objects: Sequence[One], index: Mapping[str, int]) -> Objects:
    """Return the objects on one picture; outlines only where every one has one.

    Args:
        objects: In the order they were written down.
        index: Of each class.
    """
    if not objects:
        return Objects.none()
    outlines = tuple(one.outline for one in objects if one.outline is not None)
    attributes = tuple(dict(one.attributes) for one in objects)
    return Objects(
        np.array([one.box for one in objects], dtype=np.float32),
        np.array([index[one.label] for one in objects], dtype=np.int64),
        np.array([one.ignored for one in objects], dtype=bool),
        outlines if len(outlines) == len(objects) else (),
        attributes if any(attributes) else (),
    )


def tasks_of(objects: Sequence[Objects]) -> tuple[Task, ...]:
    """Return what objects may be for: `detect`, and `instance` where each of them has an outline."""
    filled = [some for some in objects if len(some)]
    return ("detect", "instance") if filled and all(some.outlines for some in filled) else ("detect",)


def object_dataset(
    layout: str,
    tree: Tree,
    shots: Sequence[Shot],
    classes: Sequence[str],
    group: str | None,
    files: Sequence[str],
) -> Dataset:
    """Return the data set of pictures whose objects were all read.

    Args:
        layout: Name of its reader.
        tree: Where it lies.
        shots: Every picture, each once, in any order.
        classes: Names in label order.
        group: What must not be torn apart, as a reader is told.
        files: All that say what is where, and others that the layout knows.
    """
    shots = sorted(shots, key=lambda shot: shot.name)
    index = {name: label for label, name in enumerate(classes)}
    objects = [together(shot.objects, index) for shot in shots]
    scenes = Scenes.listed(tasks_of(objects), objects, classes)
    return scene_dataset(
        layout,
        tree,
        [(shot.name, shot.split) for shot in shots],
        Stated(tuple(classes), scenes, strata(objects, len(classes)), tuple(files)),
        group,
    )


class Stated(NamedTuple):
    """What a layout says of pictures: classes, scenes, int64 (N,) numbers that tell alike ones, its files."""

    classes: tuple[str, ...]
    scenes: Scenes
    labels: NDArray[np.int64]
    files: tuple[str, ...]


def scene_dataset(
    layout: str,
    tree: Tree,
    pictures: Sequence[tuple[str, str]],
    stated: Stated,
    group: str | None,
    known: Callable[[str], bool] = lambda name: False,
) -> Dataset:
    """Return a data set of scenes.

    Args:
        layout: Name of its reader.
        tree: Where it lies.
        pictures: Name and split of each.
        stated: About them, in the same order.
        group: What must not be torn apart, as a reader is told.
        known: Whether another file belongs to the layout.
    """
    names = [name for name, _ in pictures]
    beside = [name for name in tree.files if is_picture(name)]  # groups.csv may speak of those left out
    grouped = by_name(tree, names, group, beside=beside)
    taken = {*names, *stated.files, GROUPS}
    scenes = stated.scenes
    return Dataset(
        format=layout,
        path=tree.path,
        classes=stated.classes,
        sources=tuple(map(printable, names)),
        labels=stated.labels,
        splits=tuple(split for _, split in pictures),
        read=lambda i: stored(tree, names[i]),
        groups=grouped.groups,
        grouped_by=grouped.by,
        not_grouped_by=grouped.unused,
        ignored=tuple(
            printable(name)
            for name in (*tree.files, *tree.passed_over)
            if name not in taken and not known(name)
        ),
        scenes=replace(scenes, files=tuple(map(printable, stated.files))),
    )
