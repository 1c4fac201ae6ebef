"""COCO: a JSON file of a whole set, or of each split, with boxes, polygons and packed masks."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from foveal.data.dataset import Dataset
from foveal.data.formats._annotations import PICTURE_FOLDERS, bad, clean, head, split_of
from foveal.data.formats._classes import class_name
from foveal.data.formats._coco_writing import write_coco
from foveal.data.formats._format import Format
from foveal.data.formats._json import Json, WrongError, corners, objects, read_json, text_in, whole
from foveal.data.formats._outlines import outline_of
from foveal.data.formats._scenes import One, Shot, object_dataset
from foveal.data.formats._splits import splits_in
from foveal.data.suffixes import is_picture
from foveal.data.tree import Tree

_FOLDER = "annotations"
_INSTANCES = "instances"
_HEAD_BYTES = 2**16
_MOST_AT_ROOT = 50  # more files are one for each picture
_OURS = re.compile(rb'"(?:images|annotations|categories)"\s*:\s*\[')
_OTHERS = re.compile(rb'"items"\s*:\s*\[|"categories"\s*:\s*\{|"shapes"\s*:\s*\[')  # Datumaro, LabelMe
_SAMPLED = 50


def _lacks(tree: Tree) -> str | None:
    names = _candidates(tree)
    if not names:
        return "no .json in it, in annotations/, or called like COCO's"
    if not any(_is_ours(tree, name) for name in names):
        return f"{names[0]} has no list of images, annotations or categories"
    return None


def _candidates(tree: Tree) -> list[str]:
    names = [name for name in tree.files if name.lower().endswith(".json")]
    top = [name for name in names if "/" not in name]
    found = top if len(top) <= _MOST_AT_ROOT else []
    found += [
        name
        for name in names
        if "/" in name
        and (name.split("/")[-2].lower() == _FOLDER or "coco" in name.rpartition("/")[2].lower())
    ]
    return found


def _is_ours(tree: Tree, name: str) -> bool:
    first = head(tree, name, _HEAD_BYTES)
    return bool(_OURS.search(first)) and not _OTHERS.search(first)


def _files(tree: Tree) -> list[str]:
    """Return the files that say what is where; those for captions and key points lie beside them."""
    ours = [name for name in _candidates(tree) if _is_ours(tree, name)]
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
        for number, name in _categories(document).items():
            found[name] = min(found.get(name, number), number)
    return sorted(found, key=lambda name: (found[name], name))


def _categories(document: Json) -> dict[int, str]:
    found: dict[int, str] = {}
    try:
        for place, category in enumerate(objects(document.value, "categories")):
            try:
                number, name = whole(category, "id"), class_name(text_in(category, "name"))
                if number in found or name in found.values():
                    raise WrongError(f"the category {number}, {name!r}, is there twice")
            except WrongError as wrong:
                raise document.bad(wrong.why, "categories", place, *wrong.way) from wrong
            found[number] = name
    except WrongError as wrong:
        raise document.bad(wrong.why, *wrong.way) from wrong
    return found


def _shots(document: Json) -> Iterator[Shot]:
    """Yield the pictures of a file with what is on them."""
    try:
        images, annotations = objects(document.value, "images"), objects(document.value, "annotations")
    except WrongError as wrong:
        raise document.bad(wrong.why, *wrong.way) from wrong
    names, sizes = _pictures(document, images)
    categories = _categories(document)
    found: dict[int, list[One]] = {number: [] for number in names}
    for place, annotation in enumerate(annotations):
        try:
            number = whole(annotation, "image_id")
            if number not in names:
                raise WrongError(f"there is no image {number}", "image_id")
            found[number].append(_object(annotation, categories, sizes[number]))
        except WrongError as wrong:
            raise document.bad(wrong.why, "annotations", place, *wrong.way) from wrong
    folder = _folder(document, list(names.values()))
    split = _split(document.file)
    for number, name in names.items():
        place_of_it = f"{folder}/{name}".lstrip("/")
        yield Shot(place_of_it, split or split_of(place_of_it), found[number])


def _pictures(
    document: Json, images: Sequence[Mapping[str, Any]]
) -> tuple[dict[int, str], dict[int, tuple[Any, Any]]]:
    """Return the name that each image is given, and its height and width as far as they are said."""
    names: dict[int, str] = {}
    sizes: dict[int, tuple[Any, Any]] = {}
    for place, image in enumerate(images):
        try:
            number, name = whole(image, "id"), clean(text_in(image, "file_name"))
            if name is None:
                raise WrongError(f"{image['file_name']!r} is no path below the data", "file_name")
            if number in names:
                raise WrongError(f"the image {number} is there twice", "id")
        except WrongError as wrong:
            raise document.bad(wrong.why, "images", place, *wrong.way) from wrong
        names[number], sizes[number] = name, (image.get("height"), image.get("width"))
    return names, sizes


def _split(file: str) -> str:
    found = splits_in(file.rpartition("/")[2])
    return found[0] if len(found) == 1 else split_of(file)


def _folder(document: Json, names: Sequence[str]) -> str:
    """Return the folder that pictures are named from: the one where most of the first ones are."""
    tree, file = document.tree, document.file
    here = file.rpartition("/")[0]
    above = here.rpartition("/")[0] if here.rpartition("/")[2].lower() == _FOLDER else here
    candidates = sorted(folder for folder in ("", *tree.folders) if _may_hold(folder, file))
    first = names[:_SAMPLED]

    def there(folder: str) -> int:
        return sum(f"{folder}/{name}".lstrip("/") in tree.files for name in first)

    usual = [here, above, *candidates]
    best = max(usual, key=there)
    if there(best) == 0 and any(map(is_picture, tree.files)):
        raise bad(
            tree, file, None, f"none of the pictures that it names is there, such as {first[0]!r}",
            hint="put them into images/, into a folder that is called like the file, or beside it",
        )  # fmt: skip
    return best


def _may_hold(folder: str, file: str) -> bool:
    """Return whether a folder is called like one for the pictures of a file.

    >>> _may_hold("images/val2017", "annotations/instances_val2017.json")
    True
    >>> _may_hold("val2017", "annotations/instances_train2017.json")
    False
    """
    split = _split(file)
    parts = [part.lower() for part in folder.split("/")]
    named = file.rpartition("/")[2].lower()
    for part in parts:
        splits = splits_in(part)
        if part in PICTURE_FOLDERS or part == "" or part in named or (split and splits == [split]):
            continue
        return False
    return True


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
    return One(box, categories[category], bool(annotation.get("iscrowd", 0)), outline, attributes)


coco = Format(
    looks_for="a .json with images, annotations and categories, and the pictures beside it or in images/",
    lacks=_lacks,
    read=_read,
    write=write_coco,
    precedes=("image_folder", "csv_manifest"),
    tasks=("detect", "instance"),
)
