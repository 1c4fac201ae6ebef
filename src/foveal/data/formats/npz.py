"""NumPy archives: `images` (N, H, W[, C]) uint8 and `labels`, one file for each split or one for all.

Also what Keras calls `x_train`, `y_train`, `x_test`, `y_test`, and others `train_images`, `train_labels`. An
archive is a zip and is read as any other is; arrays of Python objects are refused.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import DataError, ImageError
from foveal.core.text import printable
from foveal.data.archive import zip_tree
from foveal.data.archive_limits import ArchiveLimits
from foveal.data.dataset import Dataset, UInt8
from foveal.data.formats._classes import class_name
from foveal.data.formats._format import Format
from foveal.data.formats._group_keys import by_key
from foveal.data.formats._groups import GROUPS
from foveal.data.formats._npy import read_npy
from foveal.data.formats._splits import ORDER, SPLITS, splits_in
from foveal.data.pictures import RawPicture
from foveal.data.suffixes import is_picture
from foveal.data.tree import Tree

_MOST_BYTES = 2**31  # of all arrays together, unpacked in memory
_MOST_CHANNELS = 32  # what Preprocess takes
_LIMITS = ArchiveLimits(members=1000, index_bytes=2**20)
_IMAGES, _LABELS, _NAMES = ("images", "x"), ("labels", "label", "y"), "class_names"
Arrays = dict[str, NDArray[Any]]


class _Part(NamedTuple):
    split: str
    file: str
    images: UInt8  # (N, H, W, C)
    labels: NDArray[Any]  # (N,), integers or names
    extra: Arrays  # other arrays of N values, by key
    rest: tuple[str, ...]  # keys of arrays that are none of these


def _files(tree: Tree) -> list[str]:
    return [name for name in tree.files if name.lower().endswith(".npz") and "/" not in name]


def _lacks(tree: Tree) -> str | None:
    files = _files(tree)
    if not files:
        return "no .npz in it"
    if any(map(is_picture, tree.files)) and not any(_is_labelled(tree, file) for file in files):
        return f"{files[0]}, beside picture files, has no images with labels"
    return None


def _is_labelled(tree: Tree, file: str) -> bool:
    """Return whether an archive beside picture files could be the data, and not something made from them."""
    try:
        members = _opened(tree, file).files
    except DataError:
        return False
    words = {word for name in members for word in name.removesuffix(".npy").split("_")}
    return not words.isdisjoint(_IMAGES) and not words.isdisjoint(_LABELS)


def _read(tree: Tree, group: str | None) -> Dataset:
    parts, names = _parts(tree)
    classes, labels = _classes(tree, parts, names)
    sources = tuple(f"{part.file}#{i}" for part in parts for i in range(len(part.images)))
    offsets = np.cumsum([0, *(len(part.images) for part in parts)])
    there = list(dict.fromkeys(["labels", *(key for part in parts for key in part.extra)]))
    grouped = by_key(tree, sources, group, {key: _column(parts, key) for key in there}, label="labels")

    def read(i: int) -> RawPicture:
        which = int(np.searchsorted(offsets, i, side="right")) - 1
        return RawPicture(parts[which].images[i - offsets[which]])

    folders: dict[str, set[str]] = {}
    for part, found in zip(parts, np.split(labels, offsets[1:-1]), strict=True):
        folders.setdefault(part.split, set()).update(classes[k] for k in np.unique(found))
    return Dataset(
        format="npz",
        path=tree.path,
        classes=classes,
        sources=sources,
        labels=labels,
        splits=tuple(part.split for part in parts for _ in range(len(part.images))),
        read=read,
        groups=grouped.groups,
        grouped_by=grouped.by,
        not_grouped_by=grouped.unused,
        folders={split: tuple(sorted(found)) for split, found in folders.items()},
        ignored=(
            *(printable(n) for n in (*tree.files, *tree.passed_over) if n not in {*_files(tree), GROUPS}),
            *dict.fromkeys(f"{part.file}: {printable(key)}" for part in parts for key in part.rest),
        ),
    )


def _parts(tree: Tree) -> tuple[list[_Part], tuple[str, ...] | None]:
    """Return the pictures of every split, in order, and the class names if a file has them."""
    parts: list[_Part] = []
    names: tuple[str, ...] | None = None
    left = _MOST_BYTES
    for file in _files(tree):
        arrays = _arrays(tree, file, left)
        left -= sum(array.nbytes for array in arrays.values())
        found = _names(tree, file, arrays.pop(_NAMES)) if _NAMES in arrays else None
        if found is not None and names is not None and found != names:
            raise _bad(tree, file, "its class_names differ from those of another file")
        names = found or names
        parts += _parts_of(tree, file, arrays)
    for part in parts:
        if [other.split for other in parts].count(part.split) > 1:
            files = ", ".join(other.file for other in parts if other.split == part.split)
            raise DataError(
                f"{tree.path} has several files for {part.split or 'one data set'}: {files}",
                code="ambiguous_layout",
                hint="name the file you mean, or call them like digits_train.npz and digits_test.npz",
                path=tree.path,
            )
    return sorted(parts, key=lambda part: ORDER.index(part.split) if part.split else 0), names


def _parts_of(tree: Tree, file: str, arrays: Arrays) -> list[_Part]:
    by_split, rest = _by_split(tree, file, arrays)
    if by_split:
        return [_part(tree, file, split, found, rest) for split, found in by_split.items()]
    splits = splits_in(file.rpartition(".")[0])
    if len(splits) > 1:
        raise DataError(
            f"{tree.path}: {file} speaks of {' and '.join(splits)}",
            code="ambiguous_layout",
            hint="call it after one split, or after none",
            path=tree.path,
        )
    return [_part(tree, file, "".join(splits), arrays, ())]


def _by_split(tree: Tree, file: str, arrays: Arrays) -> tuple[dict[str, Arrays], tuple[str, ...]]:
    """Return the arrays of each split where their keys tell it, and the keys that tell none."""
    if any(key in arrays for key in _IMAGES):
        return {}, ()
    found: dict[str, Arrays] = {}
    rest = []
    for key, array in arrays.items():
        first, last = key.partition("_"), key.rpartition("_")
        name, split = (last[0], last[2]) if last[2].lower() in SPLITS else (first[2], first[0])
        if not name or split.lower() not in SPLITS:
            rest.append(key)
            continue
        mine = found.setdefault(SPLITS[split.lower()], {})
        if name in mine:
            raise _bad(tree, file, f"it has several {name!r} of {SPLITS[split.lower()]}")
        mine[name] = array
    return found, tuple(rest)


def _part(tree: Tree, file: str, split: str, arrays: Arrays, rest: tuple[str, ...]) -> _Part:
    image_key, label_key = _one_of(tree, file, arrays, _IMAGES), _one_of(tree, file, arrays, _LABELS)
    images, labels = _pictures(tree, file, arrays[image_key]), arrays[label_key]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iuUS":
        raise _bad(tree, file, f"labels are {labels.dtype} {labels.shape}, not N integers or names")
    if len(labels) != len(images):
        raise DataError(
            f"{tree.path}: {file} holds {len(images)} pictures and {len(labels)} labels",
            code="label_count_mismatch",
            hint="one label for each picture",
            path=tree.path,
        )
    extra = {
        key: array
        for key, array in arrays.items()
        if key not in (image_key, label_key) and array.shape == labels.shape and array.dtype.kind in "iuUSb"
    }
    others = tuple(key for key in arrays if key not in (image_key, label_key, *extra))
    return _Part(split, file, images, labels, extra, (*rest, *others))


def _one_of(tree: Tree, file: str, arrays: Arrays, keys: Sequence[str]) -> str:
    found = [key for key in keys if key in arrays]
    if len(found) > 1:
        raise _bad(tree, file, f"it has {' and '.join(map(repr, found))}; which is meant?")
    if not found:
        has = ", ".join(map(printable, sorted(arrays))) or "nothing"
        raise _bad(tree, file, f"it has no array {keys[0]!r}; it has {has}")
    return found[0]


def _pictures(tree: Tree, file: str, images: NDArray[Any]) -> UInt8:
    """Return pictures (N, H, W, C)."""
    if images.dtype != np.uint8:
        raise _bad(tree, file, f"images are {images.dtype}, not uint8 from 0 to 255")
    if images.ndim not in (3, 4) or 0 in images.shape[1:]:
        raise _bad(tree, file, f"images have the shape {images.shape}, not (N, H, W) or (N, H, W, C)")
    shaped = images if images.ndim == 4 else images[..., None]
    if shaped.shape[1] in (1, 3) and shaped.shape[3] > 4:
        raise _bad(tree, file, f"images {images.shape} have their channels first; save them as (N, H, W, C)")
    if shaped.shape[3] > _MOST_CHANNELS:
        raise _bad(tree, file, f"pictures of {shaped.shape[3]} channels; at most {_MOST_CHANNELS}")
    return shaped


def _names(tree: Tree, file: str, array: NDArray[Any]) -> tuple[str, ...]:
    if array.ndim != 1 or array.dtype.kind not in "US":
        raise _bad(tree, file, f"class_names are {array.dtype} {array.shape}, not a list of names")
    names = tuple(map(_text, array.tolist()))
    if "" in names or len(set(names)) != len(names):
        raise _bad(tree, file, "of its class_names one is empty, or there twice")
    return names


def _text(value: object) -> str:
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
    return class_name(text.strip())


def _classes(
    tree: Tree, parts: Sequence[_Part], names: tuple[str, ...] | None
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the class names and the label of every picture, int64 (N,)."""
    values = [value for part in parts for value in part.labels.tolist()]
    if any(part.labels.dtype.kind in "US" for part in parts):
        texts = list(map(_text, values))
        if "" in texts:
            raise _bad(tree, parts[0].file, f"picture {texts.index('')} has an empty label")
        classes = names or tuple(sorted(set(texts)))
        index: Mapping[Any, int] = {name: k for k, name in enumerate(classes)}
        values = texts
    elif names is not None:
        classes, index = names, {number: number for number in range(len(names))}
    else:
        numbers = sorted(set(values))
        classes, index = tuple(map(str, numbers)), {number: k for k, number in enumerate(numbers)}
    strange = next((value for value in values if value not in index), None)
    if strange is not None:
        raise DataError(
            f"{tree.path}: label {strange!r} has no name among the {len(classes)} class_names",
            code="label_without_name",
            hint="class_names holds a name for each label, in the order of the labels",
            path=tree.path,
        )
    return classes, np.array([index[value] for value in values], dtype=np.int64)


def _column(parts: Sequence[_Part], key: str) -> list[str]:
    """Return a key's value for each picture; empty where its file lacks the key."""
    values: list[str] = []
    for part in parts:
        array = part.labels if key == "labels" else part.extra.get(key)
        values += [""] * len(part.images) if array is None else map(_text, array.tolist())
    return values


def _opened(tree: Tree, file: str) -> Tree:
    content = tree.read(file, at_most=_MOST_BYTES)
    if len(content) > _MOST_BYTES:
        raise _bad(tree, file, f"it is more than {_MOST_BYTES} bytes")
    return zip_tree(tree.path if tree.kind == "file" else tree.path / file, io.BytesIO(content), _LIMITS)


def _arrays(tree: Tree, file: str, left: int) -> Arrays:
    """Return every array of a file, together at most `left` bytes."""
    archive = _opened(tree, file)
    arrays: Arrays = {}
    for name in archive.files:
        if not name.endswith(".npy"):
            continue
        try:
            data = archive.read(name, at_most=left)
            if len(data) > left:
                raise _bad(tree, file, f"its arrays are more than {_MOST_BYTES} bytes")
            left -= len(data)
            arrays[name.removesuffix(".npy")] = read_npy(data)
        except ImageError as error:
            raise _bad(tree, file, f"it cannot be read: {error.message}") from error
        except ValueError as error:
            if isinstance(error, DataError):
                raise
            raise _bad(tree, file, f"{printable(name)} {error}") from error
    return arrays


def _bad(tree: Tree, file: str, why: str) -> DataError:
    return DataError(
        f"{tree.path}: {file}: {why}",
        code="bad_npz",
        hint="numpy.savez(FILE, images=uint8 (N, H, W, C), labels=(N,), class_names=(K,))",
        path=tree.path,
    )


npz = Format(
    looks_for="NAME.npz with images and labels, or NAME_train.npz and NAME_test.npz",
    lacks=_lacks,
    read=_read,
)
