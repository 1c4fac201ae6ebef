"""COCO: a JSON file of a whole set, or of each split, with boxes, polygons and packed masks."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from foveal.data.dataset import Dataset
from foveal.data.formats._annotations import bad, head, split_of
from foveal.data.formats._coco import candidates, categories_of, folder_of, pictures_of, split_in
from foveal.data.formats._coco_writing import write_coco
from foveal.data.formats._format import Format
from foveal.data.formats._json import Json, WrongError, corners, flag, objects, read_json, whole
from foveal.data.formats._outlines import outline_of
from foveal.data.formats._scenes import One, Shot, object_dataset
from foveal.data.tree import Tree

_INSTANCES = "instances"
_HEAD_BYTES = 2**16
_OURS = re.compile(rb'"(?:images|annotations|categories)"\s*:\s*\[')
_OTHERS = re.compile(rb'"items"\s*:\s*\[|"categories"\s*:\s*\{|"shapes"\s*:\s*\[')  # Datumaro, LabelMe


def _lacks(tree: Tree) -> str | None:
    names = candidates(tree)
    if not names:
        return "no .json in it, in annotations/, or called like COCO's"
    if not any(_is_ours(tree, name) for name in names):
        return f"{names[0]} has no list of images, annotations or categories"
    return None


def _is_ours(tree: Tree, name: str) -> bool:
    first = head(tree, name, _HEAD_BYTES)
    return bool(_OURS.search(first)) and not _OTHERS.search(first)


def _files(tree: Tree) -> list[str]:
    """Return the files that say what is where; those for captions and key points lie beside them."""
    ours = [name for name in candidates(tree) if _is_ours(tree, name)]
    instances = [name for name in ours if name.rpartition("/")[2].startswith(_INSTANCES)]
    return instances or ours


def _read(tree: Tree, group: str | None) -> Dataset:
    documents = [read_json(tree, file) for file in _files(tree)]
    classes = _classes(documents)
    shots: list[Shot] = []
    seen: dict[str, str] = {}
    for document in documents:
        for shot in _shots(document):
            if shot.name in seen:
                raise bad(
                    tree, document.file, None, f"the picture {shot.name!r} is in {seen[shot.name]}, too",
                    hint="move away the file that is not meant",
                )  # fmt: skip
            seen[shot.name] = document.file
            shots.append(shot)
    known = [name for name in tree.files if name.lower().endswith(".json")]
    return object_dataset("coco", tree, shots, classes, group, known)


def _classes(documents: Sequence[Json]) -> list[str]:
    """Return the names of all categories, by the smallest number that one has in any file."""
    found: dict[str, int] = {}
    for document in documents:
        for number, name in categories_of(document).items():
            found[name] = min(found.get(name, number), number)
    return sorted(found, key=lambda name: (found[name], name))


def _shots(document: Json) -> Iterator[Shot]:
    """Yield the pictures of a file with what is on them."""
    try:
        images, annotations = objects(document.value, "images"), objects(document.value, "annotations")
    except WrongError as wrong:
        raise document.bad(wrong.why, *wrong.way) from wrong
    names, sizes = pictures_of(document, images)
    categories = categories_of(document)
    found: dict[int, list[One]] = {number: [] for number in names}
    for place, annotation in enumerate(annotations):
        try:
            number = whole(annotation, "image_id")
            if number not in names:
                raise WrongError(f"there is no image {number}", "image_id")
            found[number].append(_object(annotation, categories, sizes[number]))
        except WrongError as wrong:
            raise document.bad(wrong.why, "annotations", place, *wrong.way) from wrong
    folder = folder_of(document, list(names.values()))
    split = split_in(document.file)
    for number, name in names.items():
        place_of_it = f"{folder}/{name}".lstrip("/")
        yield Shot(place_of_it, split or split_of(place_of_it), found[number])


def _object(annotation: Mapping[str, Any], categories: Mapping[int, str], size: tuple[Any, Any]) -> One:
    category = whole(annotation, "category_id")
    if category not in categories:
        raise WrongError(f"there is no category {category}", "category_id")
    outline = outline_of(annotation.get("segmentation"), size)
    if "bbox" in annotation:
        box = corners(annotation["bbox"])
    elif outline is not None:
        box = outline.box
    else:
        raise WrongError("it has neither 'bbox' nor 'segmentation'")
    said = annotation.get("attributes") or {}
    if not isinstance(said, dict):
        raise WrongError("'attributes' is no object", "attributes")
    attributes = {str(key): str(value) for key, value in said.items()}
    return One(box, categories[category], flag(annotation, "iscrowd"), outline, attributes)


coco = Format(
    looks_for="a .json with images, annotations and categories, and the pictures beside it or in images/",
    lacks=_lacks,
    read=_read,
    write=write_coco,
    precedes=("image_folder", "csv_manifest"),
    tasks=("detect", "instance"),
    writes_attributes=True,
)
