"""A folder for each band, with the same files in each: `band_<name>/[<split>/]<class>/<picture>`.

From then on a picture is one stack of all its bands: its stored bytes are an NPY (H, W, bands).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import DataError, ImageError
from foveal.core.text import printable
from foveal.data import decode, stacks
from foveal.data.bands import MOST
from foveal.data.dataset import Dataset
from foveal.data.formats import _class_folders
from foveal.data.formats._band_names import BANDS, band_names
from foveal.data.formats._class_folders import class_folders, rows_of, split_folders
from foveal.data.formats._format import Format
from foveal.data.formats._group_keys import by_name
from foveal.data.formats._groups import GROUPS
from foveal.data.formats._splits import ORDER
from foveal.data.npy import npy_bytes
from foveal.data.pictures import StackPicture
from foveal.data.suffixes import is_picture, is_stack
from foveal.data.tree import Tree, below

_PREFIX = "band_"
_EXACT = (".png", ".bmp", ".gif")


def _is_band(name: str) -> bool:
    return is_picture(name) or is_stack(name)


def _folders(tree: Tree) -> list[str]:
    """Return the folders of the bands in their order: that of `bands.txt`, else of their names.

    Raises:
        DataError: `band_names`: `bands.txt` names others.
    """
    found = [name for name in tree.folders if "/" not in name and name.lower().startswith(_PREFIX)]
    listed = band_names(tree)
    if listed and sorted(listed) != sorted(map(_name, found)):
        raise DataError(
            f"{tree.path}: {BANDS} names {', '.join(listed)}; there are {', '.join(map(_name, found))}",
            code="band_names",
            hint=f"a folder {_PREFIX}<name> for each line",
            path=tree.path,
        )
    return sorted(found, key=lambda folder: listed.index(_name(folder))) if listed else sorted(found)


def _name(folder: str) -> str:
    return printable(folder[len(_PREFIX) :])


def _lacks(tree: Tree) -> str | None:
    found = [name for name in tree.folders if "/" not in name and name.lower().startswith(_PREFIX)]
    if len(found) < 2:
        return f"fewer than two folders {_PREFIX}<name>"
    outside = [name for name in tree.files if _is_band(name) and name.partition("/")[0] not in found]
    if outside:
        return f"{outside[0]} lies in no folder {_PREFIX}<name>"
    return _class_folders.lacks(below(tree, found[0]), _is_band, "picture")


def _read(tree: Tree, group: str | None) -> Dataset:
    """Return the pictures that any band has; one that a band lacks cannot be read, and says so."""
    folders = _folders(tree)
    if len(folders) > MOST:
        raise DataError(f"{tree.path} has {len(folders)} bands; at most {MOST}", code="too_many_bands")
    bands = [_by_stem(below(tree, folder)) for folder in folders]
    first = below(tree, folders[0])
    splits = split_folders(first, _is_band)
    classes_of = class_folders(first, splits)
    rank = {split: place for place, split in enumerate((*ORDER, ""))}
    rows = sorted(rows_of(first, splits, _is_band), key=lambda row: (rank[row.split], row.label, row.name))
    classes = tuple(sorted({name for names in classes_of.values() for name in names}))
    index = {name: label for label, name in enumerate(classes)}
    stems = [_stem(row.name) for row in rows]
    names = [f"{stem}.npy" for stem in stems]
    grouped = by_name(tree, names, group)
    taken = {
        f"{folder}/{name}" for folder, band in zip(folders, bands, strict=True) for name in band.values()
    }
    taken |= {GROUPS, BANDS}
    return Dataset(
        format="band_folders",
        path=tree.path,
        classes=classes,
        sources=tuple(map(printable, names)),
        labels=np.array([index[row.label] for row in rows], dtype=np.int64),
        splits=tuple(row.split for row in rows),
        read=lambda i: StackPicture(npy_bytes(_stacked(tree, folders, bands, stems[i]))),
        groups=grouped.groups,
        grouped_by=grouped.by,
        not_grouped_by=grouped.unused,
        folders=classes_of,
        ignored=tuple(printable(name) for name in (*tree.files, *tree.passed_over) if name not in taken),
        band_names=tuple(map(_name, folders)),
    )


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _by_stem(band: Tree) -> dict[str, str]:
    return {_stem(name): name for name in band.files if _is_band(name)}


def _stacked(tree: Tree, folders: list[str], bands: list[dict[str, str]], stem: str) -> NDArray[Any]:
    """Return all bands of a picture, (H, W, bands).

    Raises:
        ImageError: `missing_band`; `bands_differ`: in size or type; or what is wrong with a file.
    """
    planes: list[NDArray[Any]] = []
    for folder, band in zip(folders, bands, strict=True):
        if stem not in band:
            raise ImageError(f"{folder} has no {stem!r}", code="missing_band", path=stem)
        name = f"{folder}/{band[stem]}"
        planes.append(_plane(name, tree.read(name, at_most=stacks.most_bytes(name))))
        if (planes[-1].shape, planes[-1].dtype) != (planes[0].shape, planes[0].dtype):
            raise ImageError(
                f"{name} is {planes[-1].dtype} {planes[-1].shape}; the first band is {planes[0].dtype} "
                f"{planes[0].shape}",
                code="bands_differ",
            )
    return np.stack(planes, axis=-1)


def _plane(name: str, content: bytes) -> NDArray[Any]:
    """Return one band, (H, W); of a JPEG or WebP its grey levels."""
    if stacks.is_stacked(content):
        values = stacks.read(content)
        if values.shape[2] != 1:
            raise ImageError(f"{name} has {values.shape[2]} bands, and is to be one", code="bands_differ")
        return values[:, :, 0]
    if not name.lower().endswith(_EXACT):
        return decode.decode(content, 1)[:, :, 0]
    found = decode.values(content)
    return found if found.ndim == 2 else decode.decode(content, 1)[:, :, 0]


band_folders = Format(
    looks_for=f"{_PREFIX}<name>/[train|val|test/]<class>/<picture>, the same names in each band",
    lacks=_lacks,
    read=_read,
    precedes=("image_folder",),
)
