"""Pascal VOC: an XML file for each picture, with boxes whose corners are counted from 1 and lie inside."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from foveal.data.dataset import Dataset
from foveal.data.formats._annotations import (
    PICTURE_FOLDERS,
    SMALL_TEXT,
    bad,
    clean,
    head,
    pictures_by_stem,
    split_of,
    stem_of,
)
from foveal.data.formats._class_list import classes_of
from foveal.data.formats._classes import class_name
from foveal.data.formats._format import Format
from foveal.data.formats._lists import Entry, split_lists, splits_listed
from foveal.data.formats._scenes import One, Shot, object_dataset
from foveal.data.formats._voc_masks import with_masks
from foveal.data.formats._voc_writing import write_voc
from foveal.data.formats._xml import Element, Xml, read_xml
from foveal.data.tree import Tree

_ANNOTATIONS = "annotations"
_SETS = "ImageSets/Main"
_HEAD_BYTES = 4096
_OURS = re.compile(rb"<annotation[\s>]")
_ROTATED = ("robndbox", "rotatedbndbox")


class _Paired(NamedTuple):
    """An annotation and the picture that it seems to be of; None where none has its name."""

    file: str
    picture: str | None
    folders: tuple[str, ...]  # where its picture may lie


def _lacks(tree: Tree) -> str | None:
    first = next(_paired(tree), None)
    if first is None:
        return "no .xml in Annotations, or beside a picture of its name"
    if not _OURS.search(head(tree, first.file, _HEAD_BYTES)):
        return f"{first.file} does not begin with <annotation>"
    return None


def _paired(tree: Tree) -> Iterator[_Paired]:
    """Yield the files that lie in a folder of annotations, or beside a picture of the same name."""
    files = [name for name in tree.files if name.lower().endswith(".xml")]
    if not files:
        return
    pictures = pictures_by_stem(tree)
    siblings = _picture_folders(tree)
    for file in files:
        parts = file.split("/")
        place = next((k for k, part in enumerate(parts[:-1]) if part.lower() == _ANNOTATIONS), None)
        if place is None:
            if stem_of(file) in pictures:
                yield _Paired(file, pictures[stem_of(file)], ("/".join(parts[:-1]),))
            continue
        below = parts[place + 1 : -1]
        above = "/".join(parts[:place])
        folders = tuple("/".join([folder, *below]) for folder in siblings.get(above, ()))
        if not folders and stem_of(file) not in pictures:
            continue
        stems = [f"{folder}/{stem_of(parts[-1])}" for folder in folders] + [stem_of(file)]
        picture = next((pictures[stem] for stem in stems if stem in pictures), None)
        yield _Paired(file, picture, (*folders, "/".join(parts[:-1])))


def _picture_folders(tree: Tree) -> Mapping[str, list[str]]:
    """Return the folders that are called like one for pictures, by the folder that they lie in."""
    found: dict[str, list[str]] = {}
    for folder in tree.folders:
        above, _, name = folder.rpartition("/")
        if name.lower() in PICTURE_FOLDERS:
            found.setdefault(above, []).append(folder)
    return found


def _read(tree: Tree, group: str | None) -> Dataset:
    paired = list(_paired(tree))
    splits = _splits(tree, [one.file for one in paired])
    shots = []
    for one in paired:
        if splits and one.file not in splits:
            continue
        xml = read_xml(tree, one.file, at_most=SMALL_TEXT)
        if xml.root.name != "annotation":
            raise xml.bad(xml.root, f"it is <{xml.root.name}>, not <annotation>")
        objects = [_object(xml, element) for element in xml.root.named("object")]
        shots.append(Shot(_picture(tree, xml, one), splits.get(one.file) or split_of(one.file), objects))
    _check_once(tree, shots, paired)
    classes, lists = classes_of(tree, (one.label for shot in shots for one in shot.objects))
    known = [name for name in tree.files if "ImageSets" in name.split("/")]
    files = [*(one.file for one in paired), *known, *lists]
    dataset = object_dataset("voc", tree, shots, classes, group, files)
    return with_masks(tree, dataset)


def _check_once(tree: Tree, shots: list[Shot], paired: list[_Paired]) -> None:
    seen: set[str] = set()
    for shot in shots:
        if shot.name in seen:
            raise bad(tree, shot.name, None, "two annotations are of this picture")
        seen.add(shot.name)


def _splits(tree: Tree, files: list[str]) -> dict[str, str]:
    """Return the split of each annotation, as lists in `ImageSets/Main` say; empty without lists."""
    found: dict[str, str] = {}
    homes: dict[str, list[str]] = {}
    for file in files:
        homes.setdefault(_home(file), []).append(file)
    for home, mine in homes.items():
        by_name = {stem_of(file).rpartition("/")[2]: file for file in mine}

        def named(entry: Entry, by_name: Mapping[str, str] = by_name) -> str | None:
            word = entry.words[0]
            return by_name.get(word) or by_name.get(stem_of(word).rpartition("/")[2])

        found |= splits_listed(tree, split_lists(tree, f"{home}/{_SETS}".lstrip("/")), named)
    return found


def _home(file: str) -> str:
    """Return the folder that the folder of an annotation lies in; the lists of splits lie there, too."""
    parts = file.split("/")
    place = next((k for k, part in enumerate(parts[:-1]) if part.lower() == _ANNOTATIONS), 0)
    return "/".join(parts[:place])


def _picture(tree: Tree, xml: Xml, one: _Paired) -> str:
    """Return the picture of an annotation: that of the same name, else the one that it names."""
    if one.picture is not None:
        return one.picture
    raw = xml.text(xml.root, "filename")
    name = clean(raw)
    if name is None:
        raise xml.bad(xml.root.child("filename") or xml.root, f"{raw!r} is no path below the data")
    places = [f"{folder}/{name}".lstrip("/") for folder in one.folders]
    return next((place for place in places if place in tree.files), places[0])


def _object(xml: Xml, element: Element) -> One:
    label = class_name(xml.text(element, "name"))
    rotated = next((name for name in _ROTATED if element.child(name)), None)
    if rotated:
        raise xml.bad(element, f"<{rotated}>: rotated boxes are not read")
    box = element.child("bndbox")
    if box is None:
        raise xml.bad(element, "<object> has no <bndbox>")
    left, top = xml.number(box, "xmin") - 1, xml.number(box, "ymin") - 1
    right, bottom = xml.number(box, "xmax"), xml.number(box, "ymax")
    # As it is written down such a box has no pixel: it stays degenerate, and does not become a line of one.
    right = left if right <= left + 1 else right
    bottom = top if bottom <= top + 1 else bottom
    return One((left, top, right, bottom), label, _difficult(xml, element))


def _difficult(xml: Xml, element: Element) -> bool:
    found = element.child("difficult")
    text = "" if found is None else found.text.strip()
    if text not in ("", "0", "1"):
        raise xml.bad(found or element, f"<difficult> is {text!r}, neither 0 nor 1")
    return text == "1"


voc = Format(
    looks_for="JPEGImages/<picture> and Annotations/<name>.xml, or both beside each other",
    lacks=_lacks,
    read=_read,
    write=write_voc,
    precedes=("image_folder", "csv_manifest", "class_maps"),
    tasks=("detect", "instance"),
)
