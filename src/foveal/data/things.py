"""Count what class maps say: connected pixels of a class that is counted are one object."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import DataError, UnknownNameError
from foveal.data.dataset import Dataset, UInt8
from foveal.data.outline import Runs
from foveal.data.scene import Objects

_SMALLEST = 16  # pixels: less is rather the edge of something than a thing


def with_things(dataset: Dataset, names: Sequence[str]) -> Dataset:
    """Return a data set of class maps as one for `panoptic`, in which some classes have objects.

    Where maps do not say which pixels are of one object, those are that touch: two cars beside each other
    become one. What has fewer than 16 pixels is ignored: it counts neither as found nor as missed.

    Args:
        dataset: With class maps.
        names: Classes whose objects are counted.

    Raises:
        UnknownNameError: There is no such class.
        DataError: `other_task`: nothing says the class of each pixel, or objects are stated already.
    """
    scenes = dataset.scenes
    if scenes is None or scenes.regions is None or scenes.things is not None:
        raise DataError(
            f"{dataset.path} ({dataset.format}) "
            + (
                "says itself which classes are counted"
                if scenes is not None and scenes.things
                else "has no class maps"
            ),
            code="other_task",
            hint="leave --things out; it is for class maps that say nothing of objects",
            path=dataset.path,
        )
    for name in names:
        if name not in dataset.classes:
            raise UnknownNameError("classes", name, dataset.classes, hint="--things takes some of these")
    things = tuple(sorted({dataset.classes.index(name) for name in names}))
    regions = scenes.regions
    counted = replace(
        scenes,
        task="panoptic",
        tasks=("panoptic", *(one for one in scenes.tasks if one != "panoptic")),
        objects=lambda index: components(regions(index), things),
        things=things,
    )
    return replace(dataset, scenes=counted)


def components(regions: UInt8, things: Sequence[int]) -> Objects:
    """Return what a class map shows of some classes, each connected part as one object.

    Args:
        regions: The class of each pixel, uint8 (H, W).
        things: Classes that are counted.
    """
    runs: list[Runs] = []
    labels: list[int] = []
    for label in things:
        parts = connected(regions == label)
        runs += parts
        labels += [label] * len(parts)
    if not runs:
        return Objects.none()
    small = [int(one.counts[1::2].sum()) < _SMALLEST for one in runs]
    return Objects(
        np.array([one.box for one in runs], np.float32),
        np.array(labels, np.int64),
        np.array(small, np.bool_),
        tuple(runs),
    )


def connected(mask: NDArray[np.bool_]) -> list[Runs]:
    """Return the parts of a mask (H, W) whose pixels touch, at corners too, in reading order of columns.

    Runs of neighbouring columns that touch are of one part (Rosenfeld & Pfaltz, 1966, with runs for pixels).
    """
    height, width = mask.shape
    changes = np.diff(np.pad(mask.T, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    columns, first = np.nonzero(changes == 1)
    last = np.nonzero(changes == -1)[1]
    above = np.arange(len(columns))  # of each run one that it is of a part with; a root is its own

    def root(run: int) -> int:
        while above[run] != run:
            above[run] = above[above[run]]
            run = int(above[run])
        return run

    starts = np.searchsorted(columns, np.arange(width + 1))
    for column in range(1, width):
        left, here = starts[column - 1], starts[column]
        while left < starts[column] and here < starts[column + 1]:
            if first[left] <= last[here] and first[here] <= last[left]:
                above[root(int(here))] = root(int(left))
            if last[left] < last[here]:
                left += 1
            else:
                here += 1
    roots = np.array([root(run) for run in range(len(columns))], np.int64)
    found = []
    for part in np.unique(roots):
        own = np.flatnonzero(roots == part)
        found.append(Runs.between(columns[own], first[own], last[own], height=height, width=width))
    return found
