"""LabelMe: a JSON file for each picture with polygons, rectangles and circles."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from foveal.data.dataset import Dataset
from foveal.data.formats._annotations import clean, head, pictures_by_stem, split_of, stem_of
from foveal.data.formats._class_list import classes_of
from foveal.data.formats._classes import class_name
from foveal.data.formats._format import Format
from foveal.data.formats._json import Json, WrongError, listing, numbers, objects, read_json, text_in
from foveal.data.formats._outlines import ellipse
from foveal.data.formats._scenes import One, Shot, object_dataset
from foveal.data.outline import Polygons
from foveal.data.tree import Tree

_HEAD_BYTES = 2**14
_OURS = re.compile(rb'"shapes"\s*:\s*\[')
_MOST_BYTES = 2**26  # with the picture in it, which is not looked at
_ASKED = 20  # files, before a tree is something else


def _lacks(tree: Tree) -> str | None:
    files = [name for name in tree.files if name.lower().endswith(".json")]
    if not files:
        return "no .json in it"
    if not any(_is_ours(tree, name) for name in files[:_ASKED]):
        return f"{files[0]} has no list of shapes"
    return None


def _is_ours(tree: Tree, name: str) -> bool:
    return bool(_OURS.search(head(tree, name, _HEAD_BYTES)))


def _read(tree: Tree, group: str | None) -> Dataset:
    files = [name for name in tree.files if name.lower().endswith(".json") and _is_ours(tree, name)]
    pictures = pictures_by_stem(tree)
    shots: dict[str, Shot] = {}
    for file in files:
        document = read_json(tree, file, at_most=_MOST_BYTES)
        try:
            picture = _picture(document, pictures)
            if picture in shots:
                raise WrongError(f"another file is of {picture!r}, too", "imagePath")
            shots[picture] = Shot(picture, split_of(picture), list(_objects(document)))
        except WrongError as wrong:
            raise document.bad(wrong.why, *wrong.way) from wrong
    classes, lists = classes_of(tree, (one.label for shot in shots.values() for one in shot.objects))
    return object_dataset("labelme", tree, list(shots.values()), classes, group, [*files, *lists])


def _picture(document: Json, pictures: Mapping[str, str]) -> str:
    """Return the picture that a file is of: the one that it names, else the one of its name."""
    folder = document.file.rpartition("/")[0]
    raw = text_in(document.value, "imagePath").replace("\\", "/")
    meant = clean(posixpath.normpath(posixpath.join(folder, raw)))
    if meant in document.tree.files:
        return str(meant)
    if stem_of(document.file) in pictures:
        return pictures[stem_of(document.file)]
    if meant is None:
        raise WrongError(f"{raw!r} is no path below the data", "imagePath")
    return meant


def _objects(document: Json) -> Iterator[One]:
    """Yield the objects of a file; shapes of one class and group are parts of one object."""
    groups: dict[tuple[str, str], list[One]] = {}
    for place, shape in enumerate(objects(document.value, "shapes")):
        try:
            one = _shape(shape)
            number = shape.get("group_id")
        except WrongError as wrong:
            raise WrongError(wrong.why, "shapes", place, *wrong.way) from wrong
        key = f"alone {place}" if number is None else f"group {number}"
        groups.setdefault((one.label, key), []).append(one)
    for parts in groups.values():
        yield _joined(parts) if len(parts) > 1 else parts[0]


def _joined(parts: Sequence[One]) -> One:
    sides = np.array([part.box for part in parts])
    (left, top), (right, bottom) = sides[:, :2].min(axis=0), sides[:, 2:].max(axis=0)
    rings = [ring for part in parts if isinstance(part.outline, Polygons) for ring in part.outline.rings]
    whole = all(part.outline is not None for part in parts)
    box = (float(left), float(top), float(right), float(bottom))
    return One(box, parts[0].label, outline=Polygons(tuple(rings)) if whole else None)


def _shape(shape: Mapping[str, Any]) -> One:
    label, kind = class_name(text_in(shape, "label")), shape.get("shape_type", "polygon")
    points = [_point(point, place) for place, point in enumerate(listing(shape, "points"))]
    if kind == "rectangle" and len(points) == 2:
        (x1, y1), (x2, y2) = points
        return One((min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)), label)
    if kind == "circle" and len(points) == 2:
        (x, y), (edge_x, edge_y) = points
        radius = float(np.hypot(edge_x - x, edge_y - y))
        box = (x - radius, y - radius, x + radius, y + radius)
        return One(box, label, outline=ellipse((x, y), (radius, radius)))
    if kind == "polygon" and len(points) >= 3:
        outline = Polygons((np.array(points, dtype=np.float32),))
        return One(outline.box, label, outline=outline)
    if kind in ("rectangle", "circle", "polygon"):
        raise WrongError(f"a {kind} of {len(points)} points", "points")
    raise WrongError(f"shapes of type {kind!r} are not read; polygon, rectangle and circle are", "shape_type")


def _point(values: Any, place: int) -> tuple[float, float]:
    try:
        point = numbers(values, "a point")
    except WrongError as wrong:
        raise WrongError(wrong.why, "points", place, *wrong.way) from wrong
    if len(point) != 2:
        raise WrongError(f"a point of {len(point)} numbers", "points", place)
    return point[0], point[1]


labelme = Format(
    looks_for="<picture> and <name>.json with shapes beside it",
    lacks=_lacks,
    read=_read,
    precedes=("image_folder", "csv_manifest"),
    tasks=("detect", "instance"),
)
