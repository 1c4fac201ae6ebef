"""Pictures and the maps that lie in a folder beside them: of classes, or of the numbers of objects."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import ImageError
from foveal.data import decode
from foveal.data.decode import LIMITS
from foveal.data.formats._annotations import PICTURE_FOLDERS, bad, named, split_of, stem_of, stored
from foveal.data.formats._lists import Entry, entries, split_lists
from foveal.data.suffixes import is_picture
from foveal.data.tree import Tree

_LOSSY = (".jpg", ".jpeg", ".jfif", ".jpe", ".mpo")
_ENDINGS = ("_mask", "_masks", "_seg", "_label", "_labels", "_gt", "-mask", "_instances")


class Pair(NamedTuple):
    """A picture, its map, and the split that it is in."""

    picture: str
    map: str
    split: str


def is_map(name: str) -> bool:
    """Return whether a file's name is that of a picture which may keep exact values."""
    return is_picture(name) and not name.lower().endswith(_LOSSY)


def has_folder(tree: Tree, called: Iterable[str], ending: str = "") -> bool:
    """Return whether a folder is called so, in whatever case, or its name ends so: most trees have none."""
    names = {folder.rpartition("/")[2].lower() for folder in tree.folders}
    return not names.isdisjoint(called) or bool(ending and any(name.endswith(ending) for name in names))


def beside(tree: Tree, folders: Callable[[str], Iterable[str]]) -> list[Pair]:
    """Return the pictures that have a map of the same name in another folder, by name.

    Args:
        tree: Where they lie.
        folders: Returns the folders that the map of a picture in a folder may lie in.
    """
    maps: dict[str, str] = {}
    for name in tree.files:
        if is_map(name):
            stem = stem_of(name)
            maps[stem] = name
            ending = next((one for one in _ENDINGS if stem.lower().endswith(one)), None)
            if ending:
                maps.setdefault(stem[: -len(ending)], name)
    asked: dict[str, tuple[str, ...]] = {}
    found = []
    for name in tree.files:
        if not is_picture(name):
            continue
        folder, _, file = name.rpartition("/")
        if folder not in asked:
            asked[folder] = tuple(folders(folder))
        stem = stem_of(file)
        one = next((maps[f"{other}/{stem}"] for other in asked[folder] if f"{other}/{stem}" in maps), None)
        if one is not None and one != name:
            found.append(Pair(name, one, split_of(name)))
    return found


def renamed(folder: str, called: Iterable[str], existing: Mapping[str, str]) -> list[str]:
    """Return the folders beside a folder of pictures that are called like those for maps.

    Args:
        folder: Where pictures lie: a part of it is called like a folder of pictures.
        called: What the folder of their maps may be called, in small letters.
        existing: The folders that there are, by their names in small letters.
    """
    parts = folder.split("/")
    found = []
    for place, part in enumerate(parts):
        if part.lower() in PICTURE_FOLDERS:
            for name in called:
                other = "/".join([*parts[:place], name, *parts[place + 1 :]]).lower()
                if other in existing:
                    found.append(existing[other])
    return found


def divided(tree: Tree, pairs: list[Pair], folder: str = "") -> tuple[list[Pair], tuple[str, ...]]:
    """Return the pairs that lists of splits name, with those splits, and the lists; all pairs where none is.

    A line holds a picture, or its name without suffix; or a picture and its map.

    Args:
        tree: Where the lists lie.
        pairs: That were found.
        folder: Where the lists lie.

    Raises:
        DataError: `bad_annotation`: a list names what is not there, or what is in another split, too.
    """
    lists = split_lists(tree, folder)
    if not lists:
        return pairs, ()
    by_name = {
        key: pair for pair in pairs for key in (stem_of(pair.picture).rpartition("/")[2], pair.picture)
    }
    chosen: dict[str, Pair] = {}
    for entry in entries(tree, lists):
        pair = _meant(tree, entry, by_name)
        before = chosen.setdefault(pair.picture, pair)
        if before.split != pair.split:
            raise bad(tree, entry.file, entry.line, f"{pair.picture!r} is in {before.split}, too")
    return list(chosen.values()), tuple(lists)


def _meant(tree: Tree, entry: Entry, by_name: Mapping[str, Pair]) -> Pair:
    if len(entry.words) > 2:
        raise bad(tree, entry.file, entry.line, "a line holds a picture, or a picture and its map")
    if len(entry.words) == 2:
        both = [named(tree, word) for word in entry.words]
        for word, name in zip(entry.words, both, strict=True):
            if name is None:
                raise bad(tree, entry.file, entry.line, f"{word!r} is not there")
        return Pair(str(both[0]), str(both[1]), entry.split)
    [word] = entry.words
    pair = by_name.get(named(tree, word) or word) or by_name.get(stem_of(word).rpartition("/")[2])
    if pair is None:
        raise bad(tree, entry.file, entry.line, f"{word!r} is not there, or has no map")
    return pair._replace(split=entry.split)


def values_in(tree: Tree, file: str, *, colours: bool = False) -> NDArray[np.integer]:
    """Return what is stored in a map, as `decode.values` does.

    Raises:
        DataError: `bad_annotation`: it cannot be read.
    """
    try:
        return decode.values(tree.read(file, at_most=LIMITS.content_bytes), colours=colours)
    except ImageError as error:
        raise bad(tree, file, None, f"the map cannot be used: {error.message}") from error


def check_size(tree: Tree, pair: Pair, found: NDArray[np.integer] | NDArray[np.bool_]) -> None:
    """Refuse a map, (H, W) or more, that has not the size of its picture.

    Raises:
        DataError: `bad_annotation`.
        ImageError: The picture cannot be read.
    """
    header = stored(tree, pair.picture).header()
    height, width = found.shape[:2]
    if (height, width) != (header.height, header.width):
        why = f"it is {width} × {height} pixels, and {pair.picture} is {header.width} × {header.height}"
        raise bad(tree, pair.map, None, why, hint="a map has a value for each pixel of the upright picture")
