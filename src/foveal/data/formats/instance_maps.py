"""Maps of objects: a PNG whose values are 0 for the background and a number for each object of one class."""

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import ImageError
from foveal.data.dataset import Dataset
from foveal.data.decode import LIMITS
from foveal.data.formats._annotations import bad, split_of
from foveal.data.formats._class_list import CLASSES, listed_classes
from foveal.data.formats._classes import class_name
from foveal.data.formats._format import Format
from foveal.data.formats._maps import (
    Pair,
    beside,
    check_size,
    divided,
    has_folder,
    is_map,
    renamed,
    values_in,
)
from foveal.data.formats._scenes import Stated, scene_dataset
from foveal.data.outline import Runs
from foveal.data.scene import Objects, Scenes
from foveal.data.suffixes import is_picture
from foveal.data.tree import Tree

_FOLDERS = ("instance_masks", "instances", "instance_maps", "inst_masks", "instance", "pedmasks")
_NO_NAME = re.compile(r"inst(?:ance)?s?|masks?|maps?|[\W_]+", re.IGNORECASE)
_KEPT = 16  # pictures whose objects stay in memory
_OTHER_FILES = ("annotation", "annotations")  # PennFudan says the same once more, as text


class _Found:
    """The pictures of a tree, the files with their objects, and how objects are read."""

    def __init__(self, tree: Tree) -> None:
        self.lists: tuple[str, ...] = ()
        self.pictures: list[tuple[str, str]] = []
        self.files: list[tuple[str, ...]] = []
        pairs = beside(tree, _folders(tree))
        if pairs:
            pairs, self.lists = divided(tree, sorted(pairs))
            self.pictures = [(pair.picture, pair.split) for pair in pairs]
            self.files = [(pair.map,) for pair in pairs]
            return
        for picture, masks in sorted(_one_each(tree).items()):
            self.pictures.append((picture, split_of(picture)))
            self.files.append(masks)


def _folders(tree: Tree) -> Callable[[str], list[str]]:
    existing = {folder.lower(): folder for folder in tree.folders}
    return lambda folder: renamed(folder, _FOLDERS, existing)


def _one_each(tree: Tree) -> dict[str, tuple[str, ...]]:
    """Return the masks of each picture where every picture has a folder: `<id>/images/`, `<id>/masks/`."""
    pictures: dict[str, list[str]] = {}
    masks: dict[str, list[str]] = {}
    for name in tree.files:
        above, _, file = name.rpartition("/")
        home, _, folder = above.rpartition("/")
        if home and folder.lower() == "images" and is_picture(file):
            pictures.setdefault(home, []).append(name)
        elif home and folder.lower() == "masks" and is_map(file):
            masks.setdefault(home, []).append(name)
    return {
        some[0]: tuple(masks[home])
        for home, some in pictures.items()
        if len(some) == 1 and home in masks and not _are_named_alike(some[0], masks[home])
    }


def _are_named_alike(picture: str, masks: list[str]) -> bool:
    """Return whether a mask is called like the picture, as a map of classes is."""
    stem = picture.rpartition("/")[2].rpartition(".")[0]
    return any(mask.rpartition("/")[2].startswith(stem) for mask in masks)


def _lacks(tree: Tree) -> str | None:
    if has_folder(tree, (*_FOLDERS, "masks")) and (beside(tree, _folders(tree)) or _one_each(tree)):
        return None
    return "no picture in images with a map in instance_masks, or in <id>/images with masks in <id>/masks"


def _read(tree: Tree, group: str | None) -> Dataset:
    found = _Found(tree)
    name, named_by = _class(tree, found.files)

    @lru_cache(maxsize=_KEPT)
    def objects(i: int) -> Objects:
        picture, files = found.pictures[i][0], found.files[i]
        runs: list[Runs] = []
        for file in files:
            values = _numbers(values_in(tree, file))
            check_size(tree, Pair(picture, file, ""), values)
            runs += numbered(values) if len(files) == 1 and not _is_one_each(file) else [Runs.of(values > 0)]
        return covered(runs)

    def said(i: int) -> str:
        total = hashlib.sha256(name.encode())
        for file in found.files[i]:
            try:
                total.update(tree.read(file, at_most=LIMITS.content_bytes))
            except ImageError as error:
                raise bad(tree, file, None, error.message) from error
        return total.hexdigest()

    maps = {file for files in found.files for file in files}
    folders = {file.rpartition("/")[0] for file in maps}
    stated = Stated(
        (name,),
        Scenes("instance", ("instance", "detect"), objects, said),
        np.zeros(len(found.pictures), np.int64),
        (*sorted(maps), *found.lists, *named_by),
    )

    def known(other: str) -> bool:
        folder = other.rpartition("/")[0]
        return folder in folders or folder.rpartition("/")[2].lower() in (*_OTHER_FILES, "masks")

    return scene_dataset("instance_maps", tree, found.pictures, stated, group, known)


def _is_one_each(file: str) -> bool:
    return file.rpartition("/")[0].rpartition("/")[2].lower() == "masks"


def _class(tree: Tree, files: list[tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
    """Return the name of the one class, and the file that says it; else that of the folder, or object."""
    listed = listed_classes(tree)
    if listed is not None:
        if len(listed[1]) > 1:
            raise bad(
                tree, CLASSES, None, "objects with numbers alone are of one class, and it lists several"
            )
        return listed[1][0], (listed[0],)
    folder = files[0][0].rpartition("/")[0].split("/")
    called = next((part for part in reversed(folder) if part.lower() in (*_FOLDERS, "masks")), "")
    return class_name(_NO_NAME.sub("", called)) or "object", ()


def _numbers(values: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return a number for each pixel, int64 (H, W); colours become one, too."""
    wide = values.astype(np.int64)
    return wide if wide.ndim == 2 else (wide[:, :, 0] << 16) | (wide[:, :, 1] << 8) | wide[:, :, 2]


def numbered(values: NDArray[np.int64]) -> list[Runs]:
    """Return what each number covers, the smallest first; 0 is the background.

    Args:
        values: A number for each pixel, int64 (H, W).
    """
    height, width = values.shape
    flat = values.ravel(order="F")
    places = np.flatnonzero(flat)
    order = places[np.argsort(flat[places], kind="stable")]  # places stay ascending within a number
    _, starts = np.unique(flat[order], return_index=True)
    return [_runs(some, height, width) for some in np.split(order, starts[1:]) if len(some)]


def _runs(places: NDArray[np.int64], height: int, width: int) -> Runs:
    """Return the runs of a mask that covers these places, ascending, counted column by column."""
    breaks = np.flatnonzero(np.diff(places) != 1) + 1
    first = places[np.concatenate([[0], breaks])]
    last = places[np.concatenate([breaks - 1, [len(places) - 1]])] + 1
    edges = np.concatenate([[0], np.stack([first, last], axis=1).ravel(), [height * width]])
    return Runs(np.diff(edges).astype(np.int64), height, width)


def covered(runs: list[Runs]) -> Objects:
    """Return objects of the first class that cover what the runs do; their boxes are as small as can be."""
    if not runs:
        return Objects.none()
    return Objects(
        np.array([one.box for one in runs], dtype=np.float32),
        np.zeros(len(runs), np.int64),
        np.zeros(len(runs), bool),
        tuple(runs),
    )


instance_maps = Format(
    looks_for="images/<picture> and instance_masks/<name>.png, or <id>/images/<picture> and <id>/masks/*.png",
    lacks=_lacks,
    read=_read,
    precedes=("image_folder", "csv_manifest", "class_maps"),
    tasks=("instance", "detect"),
)
