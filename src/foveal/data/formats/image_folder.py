"""One folder per class, with or without a folder per split around them."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from foveal.core import files
from foveal.core.errors import DataError
from foveal.core.progress import Progress
from foveal.core.text import printable
from foveal.data.dataset import Dataset
from foveal.data.formats._band_names import BANDS, band_names, write_names
from foveal.data.formats._class_folders import Wanted, class_folders, lacks, rows_of, split_folders
from foveal.data.formats._format import Format
from foveal.data.formats._group_keys import by_name
from foveal.data.formats._groups import GROUPS
from foveal.data.formats._splits import ORDER, SPLITS
from foveal.data.formats._writing import Row, Written, write_pictures, write_table, written_rows
from foveal.data.pictures import stored
from foveal.data.stacks import most_bytes
from foveal.data.suffixes import is_picture, is_stack
from foveal.data.tree import Tree, is_clutter

_MOSTLY = 0.95  # share of pictures with a twin from where on the twins are something else than pictures
_LOSSY = (".jpg", ".jpeg")
_MASKS = (".png", ".bmp", ".gif")
_NO_FOLDER = re.compile(r'[/\\\0]|^\.|[<>:"|?*]')  # what some file system does not take in a name


def _companions(names: list[str]) -> frozenset[str]:
    """Return the pictures that only accompany others: nearly every name is there as JPEG and once more.

    So masks are laid out, and converted copies; a few twins among many pictures may be anything.
    """
    by_stem: dict[str, list[str]] = {}
    for name in names:
        stem, _, suffix = name.rpartition(".")
        by_stem.setdefault(stem, []).append(f".{suffix.lower()}")
    paired = {
        stem
        for stem, suffixes in by_stem.items()
        if not set(_LOSSY).isdisjoint(suffixes) and not set(_MASKS).isdisjoint(suffixes)
    }
    if len(paired) < max(2, _MOSTLY * len(by_stem)):
        return frozenset()
    return frozenset(
        name
        for name in names
        if name.rpartition(".")[0] in paired and f".{name.rpartition('.')[2].lower()}" in _MASKS
    )


def _wanted(tree: Tree) -> Wanted:
    """Return what tells a picture by its name: also an NPY, where there is nothing else to look at."""
    return is_picture if any(map(is_picture, tree.files)) else is_stack


def _read(tree: Tree, group: str | None) -> Dataset:
    wanted = _wanted(tree)
    splits = split_folders(tree, wanted)
    folders = class_folders(tree, splits)
    rank = {split: place for place, split in enumerate((*ORDER, ""))}
    laid_out = list(rows_of(tree, splits, wanted))
    companions = _companions([row.name for row in laid_out])
    kept = (row for row in laid_out if row.name not in companions)
    rows = sorted(kept, key=lambda row: (rank[row.split], row.label, row.name))
    classes = tuple(sorted({name for names in folders.values() for name in names}))
    index = {name: label for label, name in enumerate(classes)}
    names = [row.name for row in rows]
    grouped = by_name(tree, names, group, beside=sorted(companions))
    taken = {*names, *companions, GROUPS, BANDS}
    return Dataset(
        format="image_folder",
        path=tree.path,
        classes=classes,
        sources=tuple(map(printable, names)),
        labels=np.array([index[row.label] for row in rows], dtype=np.int64),
        splits=tuple(row.split for row in rows),
        read=lambda i: stored(tree.read(names[i], at_most=most_bytes(names[i]))),
        groups=grouped.groups,
        grouped_by=grouped.by,
        not_grouped_by=grouped.unused,
        folders=folders,
        companions=tuple(sorted(map(printable, companions))),
        ignored=tuple(printable(name) for name in (*tree.files, *tree.passed_over) if name not in taken),
        band_names=band_names(tree),
    )


def _write(dataset: Dataset, rows: Sequence[Row], folder: Path, progress: Progress) -> Written:
    """Write class folders, also those without pictures, and `groups.csv` where pictures belong together.

    Raises:
        DataError: `bad_class_names`: a class that no folder, or one with another meaning, could be called.
    """
    odd = next((name for name in dataset.classes if _is_odd(name)), None)
    if odd is not None:
        raise DataError(
            f"the class {odd!r} cannot be the name of a folder",
            code="bad_class_names",
            hint="--to csv_manifest takes any name",
            path=dataset.path,
        )
    for name in _folders_to_make(dataset, rows):
        (folder / name).mkdir(parents=True)  # one that is there differs in case only, and would be mixed up
    places = {row.index: f"{row.split}/{row.label}/{row.name}".lstrip("/") for row in rows}
    left_out = write_pictures(dataset, places, folder, progress)
    grouped = [(places[row.index], row.group) for row in written_rows(rows, left_out) if row.group]
    if grouped:
        write_table(folder / GROUPS, [("picture", "group"), *grouped])
    write_names(folder, dataset.band_names)
    return Written(dataset.classes, left_out)


def _is_odd(name: str) -> bool:
    told_apart = not is_clutter(name) and name.lower() not in (*SPLITS, GROUPS)
    return bool(_NO_FOLDER.search(name)) or not told_apart or len(name.encode()) > files.NAME_BYTES


def _folders_to_make(dataset: Dataset, rows: Sequence[Row]) -> list[str]:
    """Return a folder for each class of each split; a class that is in none gets one in the first."""
    splits = list(dict.fromkeys(row.split for row in rows)) or [""]
    found = {split: list(dataset.folders.get(split, dataset.classes)) for split in splits}
    there = {name for names in found.values() for name in names}
    found[splits[0]] += [name for name in dataset.classes if name not in there]
    return [f"{split}/{name}".lstrip("/") for split, names in found.items() for name in names]


image_folder = Format(
    looks_for="[train|val|test/]<class>/<picture>, as a folder, zip or tar",
    lacks=lambda tree: lacks(tree, _wanted(tree), "picture"),
    read=_read,
    write=_write,
)
