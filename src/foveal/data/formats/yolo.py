"""YOLO: a text for each picture with a line for each object, in shares of width and height."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np

from foveal.data.dataset import Dataset
from foveal.data.formats._annotations import (
    bad,
    finite,
    named,
    read_lines,
    split_of,
    stem_of,
    stored,
)
from foveal.data.formats._class_list import listed_classes
from foveal.data.formats._classes import class_name
from foveal.data.formats._format import Format
from foveal.data.formats._scenes import One, Stated, scene_dataset, tasks_of, together
from foveal.data.formats._splits import ORDER
from foveal.data.formats._yaml import Value, read_yaml, wrong
from foveal.data.formats._yolo_writing import write_yolo
from foveal.data.outline import Polygons
from foveal.data.scene import Objects, Scenes, said_of, strata
from foveal.data.suffixes import is_picture
from foveal.data.tree import Tree

_IMAGES, _LABELS = "images", "labels"
_LISTS = ("classes.txt", "obj.names", "_darknet.labels")
_NOT_READ = {"kpt_shape": "key points are not read", "obb": "rotated boxes are not read"}


class _Set(NamedTuple):
    """What is known of a tree before any text is read."""

    classes: tuple[str, ...]
    named_by: str  # the file with the classes
    splits: Mapping[str, str]  # of each picture; empty where folders alone say it
    lists: tuple[str, ...]


def _lacks(tree: Tree) -> str | None:
    if _yaml(tree) is None and not any(name in tree.files for name in _LISTS):
        return "neither data.yaml nor classes.txt"
    if not any(_text_of(tree, name) for name in tree.files if is_picture(name)):
        return "no picture in images with a .txt of its name in labels, or beside it"
    return None


def _yaml(tree: Tree) -> str | None:
    """Return the file that names the classes: data.yaml, or the only other one at the root."""
    found = [name for name in tree.files if "/" not in name and name.lower().endswith((".yaml", ".yml"))]
    usual = [name for name in found if name.lower().rpartition(".")[0] in ("data", "dataset")]
    return usual[0] if usual else found[0] if len(found) == 1 else None


def _place_of_text(picture: str) -> list[str]:
    """Return where the text of a picture may lie: in `labels` beside `images`, and beside itself."""
    parts = stem_of(picture).split("/")
    found = []
    for place in reversed(range(len(parts) - 1)):
        if parts[place].lower() == _IMAGES:
            found.append("/".join([*parts[:place], _LABELS, *parts[place + 1 :]]) + ".txt")
            break
    return [*found, "/".join(parts) + ".txt"]


def _text_of(tree: Tree, picture: str) -> str | None:
    return next((name for name in _place_of_text(picture) if name in tree.files), None)


def _read(tree: Tree, group: str | None) -> Dataset:
    known = _known(tree)
    pictures = _pictures(tree, known)
    texts = [_text_of(tree, name) for name, _ in pictures]
    shares = [_shares(tree, text, known.classes) for text in texts]
    index = {name: label for label, name in enumerate(known.classes)}
    objects = [together(some, index) for some in shares]
    tasks = tasks_of(objects)
    scenes = Scenes(
        tasks[0],
        tasks,
        _in_pixels(tree, [name for name, _ in pictures], objects),
        lambda i: said_of(objects[i], known.classes),
    )
    files = [text for text in texts if text is not None]
    labels = strata(objects, len(known.classes))
    stated = Stated(known.classes, scenes, labels, (*files, known.named_by, *known.lists))
    extra = ("train.txt", "val.txt", "test.txt", *_LISTS, known.named_by)
    return scene_dataset("yolo", tree, pictures, stated, group, lambda name: name in extra)


def _in_pixels(tree: Tree, names: Sequence[str], objects: Sequence[Objects]) -> Callable[[int], Objects]:
    """Return what gives the objects of a picture in its pixels; asking reads the picture's header."""

    @cache
    def size(i: int) -> tuple[int, int]:
        header = stored(tree, names[i]).header()
        return header.width, header.height

    def scaled(i: int) -> Objects:
        some = objects[i]
        if not len(some):
            return some
        sides = np.array(size(i), dtype=np.float64)
        outlines = tuple(
            Polygons(tuple((ring.astype(np.float64) * sides).astype(np.float32) for ring in outline.rings))
            for outline in some.outlines
            if isinstance(outline, Polygons)
        )
        boxes = (some.boxes.astype(np.float64) * np.tile(sides, 2)).astype(np.float32)
        return replace(some, boxes=boxes, outlines=outlines)

    return scaled


def _known(tree: Tree) -> _Set:
    file = _yaml(tree)
    if file is not None:
        keys = read_yaml(tree, file)
        _refuse(tree, file, keys)
        if "names" in keys:
            splits, lists = _splits(tree, file, keys)
            return _Set(_names(tree, file, keys), file, splits, lists)
    listed = listed_classes(tree, _LISTS)
    if listed is None:
        raise bad(tree, str(file), None, "it has no names, and there is no classes.txt")
    return _Set(listed[1], listed[0], {}, () if file is None else (file,))


def _refuse(tree: Tree, file: str, keys: Mapping[str, Value]) -> None:
    if "kpt_shape" in keys:
        raise wrong(tree, file, keys["kpt_shape"], _NOT_READ["kpt_shape"])
    if "task" in keys and keys["task"].value == "obb":
        raise wrong(tree, file, keys["task"], _NOT_READ["obb"])


def _names(tree: Tree, file: str, keys: Mapping[str, Value]) -> tuple[str, ...]:
    value = keys["names"].value
    if isinstance(value, dict):
        if sorted(value, key=lambda key: (len(key), key)) != [str(k) for k in range(len(value))]:
            raise wrong(tree, file, keys["names"], "the numbers of names do not go from 0 on without gaps")
        value = [value[str(k)] for k in range(len(value))]
    if not isinstance(value, list) or not value or not all(value):
        raise wrong(tree, file, keys["names"], "names is neither a list of names nor a map of number: name")
    names = tuple(map(class_name, value))
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise wrong(tree, file, keys["names"], f"the class {twice!r} is there twice")
    count = keys.get("nc")
    if count is not None and count.value != str(len(names)):
        raise wrong(tree, file, count, f"nc is {count.value}, but there are {len(names)} names")
    return names


def _splits(tree: Tree, file: str, keys: Mapping[str, Value]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the split of each picture that train, val and test name, and the lists among them."""
    base = keys["path"].value if "path" in keys else ""
    found: dict[str, str] = {}
    lists: list[str] = []
    for split in ORDER:
        if split not in keys and not (split == "val" and "valid" in keys):
            continue
        key = keys.get(split) or keys["valid"]
        places = key.value if isinstance(key.value, list) else [key.value]
        for place in places:
            if not isinstance(place, str) or not place:
                continue  # `test:` without a value is often left there
            if place.lower().endswith(".txt"):
                text = named(tree, place)
                if text is None:
                    raise wrong(tree, file, key, f"{split}: {place!r} is not there")
                lists.append(text)
                names = _listed(tree, text)
            else:
                inside = _in_folder(tree, f"{base}/{place}")
                if inside is None:
                    raise wrong(tree, file, key, f"{split}: the folder {place!r} is not there")
                names = inside
            for name in names:
                if found.setdefault(name, split) != split:
                    raise wrong(tree, file, key, f"{name!r} is in {found[name]} and in {split}")
    return found, tuple(lists)


def _in_folder(tree: Tree, raw: str) -> list[str] | None:
    """Return the pictures in a folder; one of another machine begins with folders that are not here."""
    parts = [part for part in raw.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    for start in range(len(parts)):
        folder = "/".join(parts[start:])
        if folder in tree.folders:
            inner = f"{folder}/"
            return [name for name in tree.files if name.startswith(inner) and is_picture(name)]
    return None


def _listed(tree: Tree, text: str) -> list[str]:
    found = []
    here = text.rpartition("/")[0]
    for line, raw in read_lines(tree, text):
        name = named(tree, raw, below=(here, "")) if here else named(tree, raw)
        if name is None:
            raise bad(tree, text, line, f"{raw!r} is not there")
        found.append(name)
    return found


def _pictures(tree: Tree, known: _Set) -> list[tuple[str, str]]:
    """Return name and split of each picture: of those that data.yaml names, else of all beside texts."""
    if known.splits:
        return sorted(known.splits.items())
    homes = {name.rpartition("/")[0] for name in tree.files if is_picture(name) and _text_of(tree, name)}
    return sorted(
        (name, split_of(name)) for name in tree.files if is_picture(name) and name.rpartition("/")[0] in homes
    )


def _shares(tree: Tree, text: str | None, classes: tuple[str, ...]) -> list[One]:
    """Return the objects of a text, in shares of width and height; none where there is no text."""
    if text is None:
        return []
    return [_object(tree, text, at, classes) for at in read_lines(tree, text)]


def _object(tree: Tree, text: str, at: tuple[int, str], classes: tuple[str, ...]) -> One:
    line, words = at[0], at[1].split()
    values = [finite(word) for word in words]
    if None in values:
        raise bad(tree, text, line, f"{words[values.index(None)]!r} is no number")
    number, *sides = (value for value in values if value is not None)
    if number != int(number) or not 0 <= number < len(classes):
        raise bad(tree, text, line, f"there is no class {words[0]}: {len(classes)} are named, from 0 on")
    if any(not -1 <= side <= 2 for side in sides):
        raise bad(tree, text, line, "it is in pixels: a line holds shares of width and height, from 0 to 1")
    label = classes[int(number)]
    if len(sides) == 4:
        x, y, width, height = sides
        return One((x - width / 2, y - height / 2, x + width / 2, y + height / 2), label)
    if len(sides) < 6 or len(sides) % 2:
        why = f"{len(words)} numbers; a box has 5, and an outline of n corners 1 + 2n"
        raise bad(tree, text, line, why)
    outline = Polygons((np.array(sides, dtype=np.float32).reshape(-1, 2),))
    return One(outline.box, label, outline=outline)


yolo = Format(
    looks_for="data.yaml or classes.txt, images/<picture> and labels/<name>.txt",
    lacks=_lacks,
    read=_read,
    write=write_yolo,
    precedes=("image_folder", "csv_manifest"),
    tasks=("detect", "instance"),
)
