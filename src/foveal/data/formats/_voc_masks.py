"""Masks of VOC's objects: the number of an object in a map is its place in the XML."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np

from foveal.data.dataset import Dataset
from foveal.data.decode import LIMITS
from foveal.data.formats._annotations import bad, read_bytes, stem_of
from foveal.data.formats._maps import Pair, check_size, values_in
from foveal.data.outline import Runs
from foveal.data.scene import Objects, Scenes
from foveal.data.tree import Tree

_FOLDER = "SegmentationObject"
_KEPT = 16  # pictures whose masks stay in memory


def with_masks(tree: Tree, dataset: Dataset) -> Dataset:
    """Return a data set of boxes with masks where every picture with objects has a map of them.

    Args:
        tree: Where the maps may lie: in `SegmentationObject`, beside the folder of pictures.
        dataset: Of boxes.
    """
    scenes = dataset.scenes
    assert scenes is not None
    maps = [_map_of(source) for source in dataset.sources]
    with_objects = [i for i in range(len(dataset)) if len(scenes.objects(i))]
    known = {name for name in dataset.ignored if _FOLDER in name.split("/") or "SegmentationClass" in name}
    ignored = tuple(name for name in dataset.ignored if name not in known)
    dataset = replace(dataset, ignored=ignored)
    if not with_objects or any(maps[i] not in tree.files for i in with_objects):
        return dataset
    objects = _masked(tree, dataset, scenes, maps)
    files = (*scenes.files, *sorted(maps[i] for i in with_objects))
    both = Scenes("detect", ("detect", "instance"), objects, _said(tree, scenes, maps), None, files)
    return replace(dataset, scenes=both)


def _map_of(source: str) -> str:
    folder, _, file = source.rpartition("/")
    return f"{folder.rpartition('/')[0]}/{_FOLDER}/{stem_of(file)}.png".lstrip("/")


def _masked(tree: Tree, dataset: Dataset, scenes: Scenes, maps: list[str]) -> Callable[[int], Objects]:
    @lru_cache(maxsize=_KEPT)
    def objects(i: int) -> Objects:
        some = scenes.objects(i)
        if not len(some):
            return some
        values = values_in(tree, maps[i])
        check_size(tree, Pair(dataset.sources[i], maps[i], ""), values)
        if values.ndim != 2:
            raise bad(tree, maps[i], None, "the map is in colours, and objects are known by number")
        strange = [int(value) for value in np.unique(values) if len(some) < value < 255]
        if strange:
            raise bad(tree, maps[i], None, f"there is no object {strange[0]}: {len(some)} are annotated")
        return replace(some, outlines=tuple(Runs.of(values == k) for k in range(1, len(some) + 1)))

    return objects


def _said(tree: Tree, scenes: Scenes, maps: list[str]) -> Callable[[int], str]:
    def said(i: int) -> str:
        if maps[i] not in tree.files:
            return scenes.said(i)
        content = read_bytes(tree, maps[i], at_most=LIMITS.content_bytes)
        return hashlib.sha256(scenes.said(i).encode() + content).hexdigest()

    return said
