"""Which folders hold good parts, where their names do not say it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from foveal.core.errors import DataError, UnknownNameError, UsageError
from foveal.data.dataset import Dataset, UInt8
from foveal.data.scene import VOID

GOOD = "good"  # the first class of data about defects
DEFECT = "defect"  # the only other one where kinds do not matter


def with_good(dataset: Dataset, names: Sequence[str]) -> Dataset:
    """Return data about defects in which some kinds are no defects.

    Args:
        dataset: Of `mvtec` or `defect_folders`.
        names: Classes, as folders are called, that are good.

    Raises:
        UnknownNameError: There is no such class.
        DataError: `other_task`: the data are not about defects.
    """
    scenes = dataset.scenes
    if scenes is None or scenes.task != "defect" or scenes.regions is None:
        raise DataError(
            f"{dataset.path} ({dataset.format}) says nothing of defects",
            code="other_task",
            hint="leave --good out; it is for parts that are good or have a defect",
            path=dataset.path,
        )
    for name in names:
        if name not in dataset.classes:
            raise UnknownNameError("classes", name, dataset.classes, hint="--good takes some of these")
    kinds = [name for name in dataset.classes[1:] if name not in names]
    to = np.array([kinds.index(name) + 1 if name in kinds else 0 for name in dataset.classes], np.int64)
    table = np.full(VOID + 1, VOID, np.uint8)
    table[: len(to)] = to
    regions = scenes.regions

    def relabelled(i: int) -> UInt8:
        before = regions(i)
        if to[dataset.labels[i]] > 0:
            return np.asarray(table[before], np.uint8)
        if ((before > 0) & (before < VOID)).any():
            raise DataError(
                f"{dataset.path}: {dataset.sources[i]}: its mask marks a defect, and its folder was "
                "named good",
                code="bad_annotation",
                hint="leave the folder out of --good",
                path=dataset.path,
            )
        return np.zeros_like(before)

    said = scenes.said
    return replace(
        dataset,
        classes=(GOOD, *kinds),
        labels=to[dataset.labels],
        scenes=replace(
            scenes, regions=relabelled, said=lambda i: f"{said(i)}{'' if to[dataset.labels[i]] else GOOD}"
        ),
    )


def one_kind(dataset: Dataset) -> Dataset:
    """Return data about defects in which all kinds are one, `defect`: what learned no kinds is measured so.

    Args:
        dataset: With the task `defect`.
    """
    scenes = dataset.scenes
    if scenes is None or scenes.regions is None:
        raise UsageError(f"{dataset.path} ({dataset.format}) says nothing of defects", code="other_task")
    regions = scenes.regions

    def joined(i: int) -> UInt8:
        found = regions(i)
        return np.where((found > 0) & (found < VOID), np.uint8(1), found)

    return replace(
        dataset,
        classes=(GOOD, DEFECT),
        labels=(dataset.labels > 0).astype(np.int64),
        scenes=replace(scenes, regions=joined),
    )


def as_known(dataset: Dataset, classes: Sequence[str], good: Sequence[str]) -> Dataset:
    """Return data about defects as a recognizer is asked about them.

    Args:
        dataset: With the task `defect`.
        classes: Of the recognizer; one that knows no kinds is asked about `defect` alone.
        good: Folders that it was told are good; those that are not there play no part.
    """
    there = [name for name in good if name in dataset.classes]
    dataset = with_good(dataset, there) if there else dataset
    return one_kind(dataset) if tuple(classes) == (GOOD, DEFECT) else dataset
