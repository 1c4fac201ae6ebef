"""DeepPCB: `BOARD/ID_test.jpg`, its template `BOARD/ID_temp.jpg`, its defects `BOARD_not/ID.txt`.

Source: Tang et al., "Online PCB Defect Detector On A New PCB Defect Dataset", 2019, and its README. Pictures
of one board lie in one folder and stay together; `trainval.txt` and `test.txt` say what is learned from.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from foveal.data.dataset import Dataset
from foveal.data.formats._format import Format
from foveal.data.formats._lists import Entry, split_lists, splits_listed
from foveal.data.formats._pairs import defects_in, pair_dataset
from foveal.data.formats._scenes import Shot
from foveal.data.suffixes import is_picture
from foveal.data.tree import Tree

# Numbers in the annotations, as the README of the data explains them.
KINDS = {"1": "open", "2": "short", "3": "mousebite", "4": "spur", "5": "copper", "6": "pin-hole"}
_INSPECTED, _TEMPLATE, _NOT = "_test", "_temp", "_not"
_BOARD = r"([^/]+)/[^/]+$"  # the folder that a picture lies in


class _Found(NamedTuple):
    picture: str
    template: str
    annotation: str
    key: str  # the name that lists call it by


def _found(tree: Tree) -> Iterator[_Found]:
    """Yield what has a picture, a template and an annotation."""
    for name in tree.files:
        stem, dot, suffix = name.rpartition(".")
        if not stem.endswith(_INSPECTED) or not is_picture(name):
            continue
        base = stem.removesuffix(_INSPECTED)
        template = f"{base}{_TEMPLATE}{dot}{suffix}"
        folder, _, identity = base.rpartition("/")
        annotation = f"{folder}{_NOT}/{identity}.txt"
        if template in tree.files and annotation in tree.files:
            yield _Found(name, template, annotation, f"{base}{dot}{suffix}")


def _lacks(tree: Tree) -> str | None:
    return (
        None
        if next(_found(tree), None)
        else "no ID_test.jpg with ID_temp.jpg beside it and ../FOLDER_not/ID.txt"
    )


def _read(tree: Tree, group: str | None) -> Dataset:
    found = list(_found(tree))
    listed = _splits(tree, found)
    shots = [
        Shot(one.picture, listed.get(one.picture, ""), defects_in(tree, one.annotation, KINDS))
        for one in found
        if not listed or one.picture in listed
    ]
    several = len({one.picture.rpartition("/")[0] for one in found}) > 1
    files = [name for name in tree.files if name.endswith(".txt")]
    return pair_dataset(
        "deeppcb",
        tree,
        shots,
        {one.picture: one.template for one in found},
        classes=tuple(KINDS.values()) if any(shot.objects for shot in shots) else (),
        group=_BOARD if group is None and several else group,
        files=files,
    )


def _splits(tree: Tree, found: list[_Found]) -> Mapping[str, str]:
    by_key = {one.key: one.picture for one in found}
    lists = {file: split for folder in _folders(tree) for file, split in split_lists(tree, folder).items()}

    def named(entry: Entry) -> str | None:
        folder = entry.file.rpartition("/")[0]
        return by_key.get(f"{folder}/{entry.words[0]}".lstrip("/"))

    return splits_listed(tree, lists, named)


def _folders(tree: Tree) -> list[str]:
    return ["", *(folder for folder in tree.folders if "/" not in folder)]


deeppcb = Format(
    looks_for="BOARD/ID_test.jpg, BOARD/ID_temp.jpg and BOARD_not/ID.txt with lines x1 y1 x2 y2 kind",
    lacks=_lacks,
    read=_read,
    precedes=("image_folder", "csv_manifest", "class_maps"),
    tasks=("detect",),
)
