"""What COCO's two kinds of files have in common: categories, images, and where the pictures of a file lie."""

from collections.abc import Mapping, Sequence
from typing import Any

from foveal.data.formats._annotations import PICTURE_FOLDERS, bad, clean, split_of
from foveal.data.formats._classes import class_name
from foveal.data.formats._json import Json, WrongError, objects, text_in, whole
from foveal.data.formats._splits import splits_in
from foveal.data.suffixes import is_picture
from foveal.data.tree import Tree

FOLDER = "annotations"
_MOST_AT_ROOT = 50  # more files are one for each picture
_SAMPLED = 50


def candidates(tree: Tree) -> list[str]:
    names = [name for name in tree.files if name.lower().endswith(".json")]
    top = [name for name in names if "/" not in name]
    found = top if len(top) <= _MOST_AT_ROOT else []
    found += [
        name
        for name in names
        if "/" in name
        and (name.split("/")[-2].lower() == FOLDER or "coco" in name.rpartition("/")[2].lower())
    ]
    return found


def categories_of(document: Json) -> dict[int, str]:
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


def pictures_of(
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


def split_in(file: str) -> str:
    found = splits_in(file.rpartition("/")[2])
    return found[0] if len(found) == 1 else split_of(file)


def folder_of(document: Json, names: Sequence[str]) -> str:
    """Return the folder that pictures are named from: the one where most of the first ones are."""
    tree, file = document.tree, document.file
    here = file.rpartition("/")[0]
    above = here.rpartition("/")[0] if here.rpartition("/")[2].lower() == FOLDER else here
    candidates = sorted(folder for folder in ("", *tree.folders) if _may_hold(folder, file))
    first = names[:_SAMPLED]

    def there(folder: str) -> int:
        return sum(f"{folder}/{name}".lstrip("/") in tree.files for name in first)

    usual = [here, above, *candidates]
    best = max(usual, key=there)
    if first and there(best) == 0 and any(map(is_picture, tree.files)):
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
    split = split_in(file)
    parts = [part.lower() for part in folder.split("/")]
    named = file.rpartition("/")[2].lower()
    for part in parts:
        splits = splits_in(part)
        if part in PICTURE_FOLDERS or part == "" or part in named or (split and splits == [split]):
            continue
        return False
    return True
