"""COCO panoptic: a JSON file of a set, or of each split, and for each picture a PNG of coloured segments.

annotations/panoptic_val.json    images; categories with isthing; for each image file_name, segments_info
annotations/panoptic_val/*.png   id = red + 256 · green + 65536 · blue; 0 where nothing is said
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import ImageError
from foveal.data.dataset import Dataset
from foveal.data.decode import LIMITS
from foveal.data.formats._annotations import bad, clean, head, split_of
from foveal.data.formats._coco import candidates, categories_of, folder_of, pictures_of, split_in
from foveal.data.formats._format import Format
from foveal.data.formats._json import Json, WrongError, flag, objects, read_json, text_in, whole
from foveal.data.formats._maps import Pair, check_size, values_in
from foveal.data.formats._scenes import Stated, scene_dataset
from foveal.data.formats.instance_maps import numbered
from foveal.data.outline import Runs
from foveal.data.scene import VOID, Objects, Scenes, UInt8
from foveal.data.tree import Tree

_HEAD_BYTES = 2**16
_NAMED = "panoptic"
_OURS = re.compile(rb'"segments_info"\s*:')
_KEPT = 16  # pictures whose segments stay in memory


class _Segment(NamedTuple):
    number: int  # its colour in the PNG
    label: str
    crowd: bool


class _Shot(NamedTuple):
    picture: str
    map: str
    split: str
    segments: tuple[_Segment, ...]


def is_ours(tree: Tree, name: str) -> bool:
    """Return whether a JSON file lists segments, by its name or its beginning."""
    return name.rpartition("/")[2].lower().startswith(_NAMED) or bool(
        _OURS.search(head(tree, name, _HEAD_BYTES))
    )


def _lacks(tree: Tree) -> str | None:
    names = [name for name in candidates(tree) if is_ours(tree, name)]
    return None if names else "no .json with segments_info, in it or in annotations/"


def _read(tree: Tree, group: str | None) -> Dataset:
    files = [name for name in candidates(tree) if is_ours(tree, name)]
    documents = [read_json(tree, file) for file in files]
    classes, things = _classes(documents)
    shots = sorted((shot for one in documents for shot in _shots(one)), key=lambda shot: shot.picture)
    for before, shot in pairwise(shots):
        if before.picture == shot.picture:
            raise bad(tree, files[-1], None, f"the picture {shot.picture!r} is in two files, or there twice")
    order = {name: label for label, name in enumerate(classes)}

    @lru_cache(maxsize=_KEPT)
    def numbers(i: int) -> NDArray[np.int64]:
        values = values_in(tree, shots[i].map)
        check_size(tree, Pair(shots[i].picture, shots[i].map, ""), values)
        return _known(tree, shots[i], _numbers(values))

    def regions(i: int) -> UInt8:
        found = numbers(i)
        whole = np.full(found.shape, VOID, np.uint8)
        for segment in shots[i].segments:
            whole[found == segment.number] = order[segment.label]
        return whole

    def listed(i: int) -> Objects:
        return _objects(shots[i], numbers(i), order, things)

    scenes = Scenes(
        "panoptic",
        ("panoptic", "segment", "instance", "detect"),
        listed,
        lambda i: _said(tree, shots[i]),
        regions,
        (),
        tuple(sorted(order[name] for name in things)),
    )
    maps = {shot.map for shot in shots}
    stated = Stated(tuple(classes), scenes, np.zeros(len(shots), np.int64), (*sorted(maps), *files))
    pictures = [(shot.picture, shot.split) for shot in shots]
    folders = {name.rpartition("/")[0] for name in maps}
    return scene_dataset(
        "coco_panoptic",
        tree,
        pictures,
        stated,
        group,
        lambda name: name.lower().endswith(".json") or name.rpartition("/")[0] in folders,
    )


def _classes(documents: Sequence[Json]) -> tuple[list[str], set[str]]:
    """Return the names of all categories, by the smallest number that one has, and which are counted."""
    found: dict[str, int] = {}
    things: dict[str, bool] = {}
    for document in documents:
        named = categories_of(document)
        for place, category in enumerate(objects(document.value, "categories")):
            name = named[whole(category, "id")]
            try:
                thing = flag(category, "isthing", usual=True)
            except WrongError as wrong:
                raise document.bad(wrong.why, "categories", place, *wrong.way) from wrong
            if things.setdefault(name, thing) != thing:
                raise document.bad(
                    f"{name!r} is a thing in one file and none in another", "categories", place
                )
            found[name] = min(found.get(name, category["id"]), category["id"])
    classes = sorted(found, key=lambda name: (found[name], name))
    if len(classes) > VOID:
        raise documents[0].bad(f"{len(classes)} categories; at most {VOID} are classes", "categories")
    return classes, {name for name, thing in things.items() if thing}


def _shots(document: Json) -> list[_Shot]:
    try:
        images, annotations = objects(document.value, "images"), objects(document.value, "annotations")
    except WrongError as wrong:
        raise document.bad(wrong.why, *wrong.way) from wrong
    names, _ = pictures_of(document, images)
    categories = categories_of(document)
    folder, split = folder_of(document, list(names.values())), split_in(document.file)
    maps = _maps_folder(document, annotations)
    found = []
    for place, annotation in enumerate(annotations):
        try:
            number, file = whole(annotation, "image_id"), clean(text_in(annotation, "file_name"))
            if number not in names or file is None:
                raise WrongError(f"there is no image {number}, or its map is no path", "image_id")
            name = f"{maps}/{file}".lstrip("/")
            if name not in document.tree.files:
                raise WrongError(f"the map {name!r} is not there", "file_name")
            segments = tuple(_segments(annotation, categories))
        except WrongError as wrong:
            raise document.bad(wrong.why, "annotations", place, *wrong.way) from wrong
        picture = f"{folder}/{names[number]}".lstrip("/")
        found.append(_Shot(picture, name, split or split_of(picture), segments))
    return found


def _segments(annotation: Mapping[str, Any], categories: Mapping[int, str]) -> list[_Segment]:
    found: list[_Segment] = []
    for place, segment in enumerate(objects(annotation, "segments_info")):
        number, category = whole(segment, "id"), whole(segment, "category_id")
        if category not in categories:
            raise WrongError(f"there is no category {category}", "segments_info", place, "category_id")
        if any(number == other.number for other in found):
            raise WrongError(f"the segment {number} is there twice", "segments_info", place, "id")
        found.append(_Segment(number, categories[category], flag(segment, "iscrowd")))
    return found


def _maps_folder(document: Json, annotations: Sequence[Mapping[str, Any]]) -> str:
    """Return the folder of the maps: called like the file, beside it, or one level up."""
    here, _, file = document.file.rpartition("/")
    stem = file.rpartition(".")[0]
    above = here.rpartition("/")[0]
    folders = [f"{here}/{stem}", here, f"{above}/{stem}", stem]
    first = [str(one.get("file_name")) for one in annotations[:1]]
    for folder in folders:
        if any(f"{folder}/{name}".lstrip("/") in document.tree.files for name in first):
            return folder.strip("/")
    return folders[0].strip("/")


def _numbers(values: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the number of the segment at each pixel, int64 (H, W), of its colour: red counts least."""
    wide = values.astype(np.int64)
    return wide if wide.ndim == 2 else wide[:, :, 0] | (wide[:, :, 1] << 8) | (wide[:, :, 2] << 16)


def _known(tree: Tree, shot: _Shot, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of a map, all of which are listed."""
    listed = {0, *(segment.number for segment in shot.segments)}
    strange = sorted(set(np.unique(numbers).tolist()) - listed)
    if strange:
        raise bad(tree, shot.map, None, f"the segment {strange[0]} is not in segments_info")
    return numbers


def _objects(shot: _Shot, numbers: NDArray[np.int64], order: Mapping[str, int], things: set[str]) -> Objects:
    told = [segment for segment in shot.segments if segment.label in things]
    runs: dict[int, Runs] = dict(
        zip(np.unique(numbers[numbers > 0]).tolist(), numbered(numbers), strict=True)
    )
    there = [segment for segment in told if segment.number in runs]
    if not there:
        return Objects.none()
    outlines = tuple(runs[segment.number] for segment in there)
    return Objects(
        np.array([one.box for one in outlines], np.float32),
        np.array([order[segment.label] for segment in there], np.int64),
        np.array([segment.crowd for segment in there], np.bool_),
        outlines,
    )


def _said(tree: Tree, shot: _Shot) -> str:
    try:
        content = tree.read(shot.map, at_most=LIMITS.content_bytes)
    except ImageError as error:
        raise bad(tree, shot.map, None, error.message) from error
    return hashlib.sha256(repr(sorted(shot.segments)).encode() + content).hexdigest()


coco_panoptic = Format(
    looks_for="annotations/panoptic_<split>.json with segments_info, and a folder of PNG called like it",
    lacks=_lacks,
    read=_read,
    precedes=("coco", "image_folder", "csv_manifest", "class_maps", "instance_maps"),
    tasks=("panoptic", "segment", "instance", "detect"),
)
