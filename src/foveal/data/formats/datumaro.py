"""Datumaro: a JSON file for each subset, with boxes, polygons and masks."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from foveal.data.dataset import Dataset
from foveal.data.formats._annotations import bad, clean, head, pictures_by_stem, split_of
from foveal.data.formats._classes import class_name
from foveal.data.formats._format import Format
from foveal.data.formats._json import Json, WrongError, corners, flag, objects, read_json, text_in, whole
from foveal.data.formats._outlines import ring_of, runs_of
from foveal.data.formats._scenes import One, Shot, object_dataset
from foveal.data.formats._splits import splits_in
from foveal.data.outline import Polygons
from foveal.data.tree import Tree

_HEAD_BYTES = 2**16
_OURS = re.compile(rb'"categories"\s*:\s*\{|"items"\s*:\s*\[')
_OTHERS = re.compile(rb'"(?:shapes|images)"\s*:\s*\[')
_MOST_FILES = 50  # more are one for each picture


def _files(tree: Tree) -> list[str]:
    files = [name for name in tree.files if name.lower().endswith(".json") and name.count("/") <= 1]
    return [name for name in files[:_MOST_FILES] if _is_ours(tree, name)]


def _is_ours(tree: Tree, name: str) -> bool:
    first = head(tree, name, _HEAD_BYTES)
    return bool(_OURS.search(first)) and not _OTHERS.search(first)


def _lacks(tree: Tree) -> str | None:
    return None if _files(tree) else "no .json with categories and items"


def _read(tree: Tree, group: str | None) -> Dataset:
    files = _files(tree)
    pictures = pictures_by_stem(tree)
    shots: dict[str, Shot] = {}
    classes: list[str] | None = None
    for file in files:
        document = read_json(tree, file)
        try:
            labels = _labels(document)
            if classes not in (None, labels):
                raise WrongError(f"its labels are not those of {files[0]}", "categories")
            classes = labels
            for place, item in enumerate(objects(document.value, "items")):
                shot = _shot(document, item, place, labels, pictures)
                if shot.name in shots:
                    raise WrongError(f"the picture {shot.name!r} is there twice", "items", place)
                shots[shot.name] = shot
        except WrongError as wrong:
            raise document.bad(wrong.why, *wrong.way) from wrong
    if not classes:
        raise bad(tree, files[0], None, "it lists no label")
    return object_dataset("datumaro", tree, list(shots.values()), classes, group, files)


def _labels(document: Json) -> list[str]:
    categories = document.value.get("categories")
    label = categories.get("label") if isinstance(categories, dict) else None
    if not isinstance(label, dict):
        raise WrongError("it has no categories of labels", "categories")
    try:
        found = [class_name(text_in(one, "name")) for one in objects(label, "labels")]
    except WrongError as wrong:
        raise WrongError(wrong.why, "categories", "label", "labels", *wrong.way) from wrong
    twice = next((name for name in found if found.count(name) > 1), None)
    if twice is not None:
        raise WrongError(f"the label {twice!r} is there twice", "categories", "label", "labels")
    return found


def _shot(
    document: Json, item: Mapping[str, Any], place: int, labels: Sequence[str], pictures: Mapping[str, str]
) -> Shot:
    try:
        name = _picture(document, item, pictures)
        found = list(_objects(item, labels))
    except WrongError as wrong:
        raise WrongError(wrong.why, "items", place, *wrong.way) from wrong
    words = splits_in(document.file.rpartition("/")[2])
    return Shot(name, words[0] if len(words) == 1 else split_of(name), found)


def _picture(document: Json, item: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    """Return the picture of an item: in `images`, or in a folder of its subset there; by path, else by id."""
    subset = document.file.rpartition("/")[2].rpartition(".")[0]
    image = item.get("image")
    path = image.get("path") if isinstance(image, dict) else None
    raw = path if isinstance(path, str) and path else text_in(item, "id")
    name = clean(raw)
    if name is None:
        raise WrongError(f"{raw!r} is no path below the data", "image", "path")
    for folder in (f"images/{subset}", "images", subset, ""):
        here = f"{folder}/{name}".lstrip("/")
        if here in document.tree.files:
            return here
        if here in pictures:
            return pictures[here]
    return f"images/{subset}/{name}"


def _objects(item: Mapping[str, Any], labels: Sequence[str]) -> Iterator[One]:
    for place, annotation in enumerate(objects(item, "annotations")):
        try:
            yield _object(annotation, labels, item.get("image"))
        except WrongError as wrong:
            raise WrongError(wrong.why, "annotations", place, *wrong.way) from wrong


def _object(annotation: Mapping[str, Any], labels: Sequence[str], image: Any) -> One:
    kind, number = text_in(annotation, "type"), whole(annotation, "label_id")
    if not 0 <= number < len(labels):
        raise WrongError(f"there is no label {number}: {len(labels)} are listed, from 0 on", "label_id")
    said = annotation.get("attributes") or {}
    if not isinstance(said, dict):
        raise WrongError("'attributes' is no object", "attributes")
    ignored = flag(said, "is_crowd")
    attributes = {str(key): str(value) for key, value in said.items() if key != "is_crowd"}
    if kind == "bbox":
        return One(corners(annotation.get("bbox")), labels[number], ignored, None, attributes)
    if kind == "polygon":
        polygon = Polygons((ring_of(annotation.get("points"), "points"),))
        return One(polygon.box, labels[number], ignored, polygon, attributes)
    if kind == "mask":
        stated = annotation.get("rle")
        if not isinstance(stated, dict):
            raise WrongError("the mask has no 'rle'", "rle")
        size = image.get("size") if isinstance(image, dict) else None
        sides = tuple(size) if isinstance(size, list) and len(size) == 2 else (None, None)
        runs = runs_of(stated, (sides[0], sides[1]), "rle")
        return One(runs.box, labels[number], ignored, runs, attributes)
    raise WrongError(f"annotations of type {kind!r} are not read; bbox, polygon and mask are", "type")


datumaro = Format(
    looks_for="annotations/<subset>.json of Datumaro, and images/",
    lacks=_lacks,
    read=_read,
    precedes=("image_folder", "csv_manifest"),
    tasks=("detect", "instance"),
)
