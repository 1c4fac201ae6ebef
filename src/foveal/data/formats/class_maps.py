"""Class maps: a PNG for each picture whose values, or colours, are classes."""

import hashlib
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import ImageError
from foveal.core.machine import usable_cpus
from foveal.core.parallel import in_order
from foveal.data.dataset import Dataset
from foveal.data.decode import LIMITS
from foveal.data.formats._annotations import bad
from foveal.data.formats._class_maps_writing import write_class_maps
from foveal.data.formats._format import Format
from foveal.data.formats._map_classes import Meaning, found_meaning, stated_meaning, strange_error
from foveal.data.formats._maps import Pair, beside, check_size, divided, has_folder, renamed, values_in
from foveal.data.formats._scenes import Stated, scene_dataset
from foveal.data.scene import VOID, Objects, Scenes, UInt8
from foveal.data.tree import Tree

_FOLDERS = (
    "masks", "mask", "labels", "label", "annotations", "ann_dir", "segmentationclass", "class_maps", "gt",
)  # fmt: skip
_ENDING = "annot"  # SegNet: train/ and trainannot/
_VOC_SETS = "ImageSets/Segmentation"


def _lacks(tree: Tree) -> str | None:
    return None if _pairs(tree) else "no picture with a map of its name in a folder beside, such as masks"


def _pairs(tree: Tree) -> list[Pair]:
    if not has_folder(tree, _FOLDERS, _ENDING):
        return []
    existing = {folder.lower(): folder for folder in tree.folders}
    return sorted(beside(tree, lambda folder: _map_folders(folder, existing)))


def _map_folders(folder: str, existing: dict[str, str]) -> Iterator[str]:
    yield from renamed(folder, _FOLDERS, existing)
    other = f"{folder}{_ENDING}".lower()
    if folder and other in existing:
        yield existing[other]


def _read(tree: Tree, group: str | None) -> Dataset:
    pairs = _pairs(tree)
    pairs, lists = divided(tree, pairs, _VOC_SETS)
    if not lists:
        pairs, lists = divided(tree, pairs)
    pairs.sort()
    meaning = _meaning(tree, pairs)
    stated = Stated(
        meaning.classes,
        Scenes(
            "segment",
            ("segment", "panoptic"),
            lambda i: Objects.none(),
            _said(tree, pairs, meaning),
            _regions(tree, pairs, meaning),
        ),
        np.zeros(len(pairs), np.int64),
        (*sorted({pair.map for pair in pairs}), *lists, *([meaning.file] if meaning.file else [])),
    )
    folders = {pair.map.rpartition("/")[0] for pair in pairs}
    return scene_dataset(
        "class_maps",
        tree,
        [(pair.picture, pair.split) for pair in pairs],
        stated,
        group,
        lambda other: other.rpartition("/")[0] in folders or other.startswith("ImageSets/"),
    )


def _said(tree: Tree, pairs: list[Pair], meaning: Meaning) -> Callable[[int], str]:
    named = repr((meaning.classes, meaning.colours, sorted(meaning.of_value.items()))).encode()

    def said(i: int) -> str:
        try:
            content = tree.read(pairs[i].map, at_most=LIMITS.content_bytes)
        except ImageError as error:
            raise bad(tree, pairs[i].map, None, error.message) from error
        return hashlib.sha256(named + content).hexdigest()

    return said


def _regions(tree: Tree, pairs: list[Pair], meaning: Meaning) -> Callable[[int], UInt8]:
    def regions(i: int) -> UInt8:
        values = values_in(tree, pairs[i].map, colours=meaning.colours)
        check_size(tree, pairs[i], values)
        labels, strange = meaning.labels(_as_numbers(tree, pairs[i].map, values, meaning))
        if strange:
            raise strange_error(tree, pairs[i].map, meaning, strange)
        return labels

    return regions


def _as_numbers(tree: Tree, file: str, values: NDArray[np.integer], meaning: Meaning) -> NDArray[np.int64]:
    """Return a number for each pixel, int64 (H, W), of colours the three bytes as one."""
    wide = values.astype(np.int64)
    if not meaning.colours:
        if wide.ndim == 3:
            raise bad(tree, file, None, "the map is in colours, and classes are known by number")
        return wide
    if wide.ndim == 2:
        wide = np.repeat(wide[:, :, None], 3, axis=2)
    return (wide[:, :, 0] << 16) | (wide[:, :, 1] << 8) | wide[:, :, 2]


def _meaning(tree: Tree, pairs: list[Pair]) -> Meaning:
    """Return what values mean; where nothing says it, every map is looked through."""
    stated = stated_meaning(tree, (pair.map for pair in pairs))
    if stated is not None and not (stated.counted and len(stated.classes) == 2):
        return stated
    flat, coloured = _all_values(tree, [pair.map for pair in pairs])
    if stated is not None:
        # Two names and a map of 0 and 255, as drawing programs save it: white is the second, and no void.
        white = set(flat) <= {0, VOID} and VOID in flat and not coloured
        return Meaning(stated.classes, stated.file, False, {0: 0, VOID: 1}) if white else stated
    if flat and coloured:
        raise bad(tree, pairs[0].map, None, "some maps hold numbers and others colours")
    meaning = found_meaning(sorted(flat or coloured), colours=bool(coloured))
    if not 1 <= len(meaning.classes) <= VOID:
        raise bad(
            tree, pairs[0].map, None, f"maps hold {len(meaning.classes)} values; at most {VOID} are classes",
            hint="name them in classes.txt; what was saved with loss is no map",
        )  # fmt: skip
    return meaning


def _all_values(tree: Tree, maps: list[str]) -> tuple[set[int], set[int]]:
    """Return the numbers, and the colours as one number each, that maps hold."""

    def look(file: str) -> tuple[bool, NDArray[np.int64]]:
        values = values_in(tree, file)
        wide = values.astype(np.int64)
        if wide.ndim == 2:
            return False, np.unique(wide)
        return True, np.unique((wide[:, :, 0] << 16) | (wide[:, :, 1] << 8) | wide[:, :, 2])

    numbers: set[int] = set()
    colours: set[int] = set()
    for coloured, found in in_order(look, maps, workers=usable_cpus(), name="foveal-maps"):
        (colours if coloured else numbers).update(found.tolist())
    return numbers, colours


class_maps = Format(
    looks_for="images/<picture> and masks/<name>.png, img_dir and ann_dir, or train/ and trainannot/",
    lacks=_lacks,
    read=_read,
    write=write_class_maps,
    precedes=("image_folder", "csv_manifest"),
    tasks=("segment", "panoptic"),
    writes_tasks=("segment",),  # a map cannot say which pixels are of one object
)
