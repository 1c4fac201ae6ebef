"""NumPy archives: `images` (N, H, W[, C]) uint8 and `labels`, one file for each split or one for all.

Also what Keras calls `x_train`, `y_train`, `x_test`, `y_test`. Arrays of Python objects are refused: their
bytes are a pickle.
"""

import io
import math
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import DataError
from foveal.core.text import printable
from foveal.data.dataset import Dataset, UInt8
from foveal.data.formats._format import Format
from foveal.data.formats._group_keys import chosen, joined
from foveal.data.formats._splits import ORDER, SPLITS
from foveal.data.pictures import RawPicture
from foveal.data.tree import Tree

_MOST_BYTES = 2**31  # of all arrays together, unpacked in memory
_MOST_HEADER = 10_000
_MOST_CHANNELS = 32  # what Preprocess takes
_MOST_MEMBERS = 1000
_IMAGES, _LABELS, _NAMES = ("images", "x"), ("labels", "label", "y"), "class_names"
Arrays = dict[str, NDArray[Any]]


class _Part(NamedTuple):
    split: str
    file: str
    images: UInt8  # (N, H, W, C)
    labels: NDArray[Any]  # (N,), integers or names
    extra: Arrays  # other arrays of N values, by key


def _files(tree: Tree) -> list[str]:
    return [name for name in tree.files if name.lower().endswith(".npz") and "/" not in name]


def _lacks(tree: Tree) -> str | None:
    return None if _files(tree) else "no .npz in it"


def _read(tree: Tree, group: str | None) -> Dataset:
    parts, names = _parts(tree)
    classes, labels = _classes(tree, parts, names)
    sources = tuple(f"{part.file}#{i}" for part in parts for i in range(len(part.images)))
    offsets = np.cumsum([0, *(len(part.images) for part in parts)])
    there = list(dict.fromkeys(["labels", *(key for part in parts for key in part.extra)]))
    keys = chosen(group, there, tree.path)
    columns = {key: _column(parts, key) for key in keys}

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
        groups=joined(columns, keys, sources),
        grouped_by=keys,
        not_grouped_by=tuple(key for key in there[1:] if key not in keys),
        folders={split: tuple(sorted(found)) for split, found in folders.items()},
        ignored=tuple(printable(n) for n in (*tree.files, *tree.passed_over) if n not in set(_files(tree))),
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
    suffixes = sorted({key[2:] for key in arrays if re.fullmatch(r"[xy]_\w+", key) and key[2:] in SPLITS})
    if suffixes:
        return [
            _part(tree, file, SPLITS[suffix], {key: arrays[f"{key}_{suffix}"] for key in ("x", "y")})
            for suffix in suffixes
            if _both(tree, file, arrays, suffix)
        ]
    words = re.split(r"[^a-z]+", file.rpartition(".")[0].lower())
    splits = {SPLITS[word] for word in words if word in SPLITS}
    return [_part(tree, file, splits.pop() if len(splits) == 1 else "", arrays)]


def _both(tree: Tree, file: str, arrays: Arrays, suffix: str) -> bool:
    for key in (f"x_{suffix}", f"y_{suffix}"):
        if key not in arrays:
            raise _bad(tree, file, f"it has no array {key!r}; it has {', '.join(sorted(arrays))}")
    return True


def _part(tree: Tree, file: str, split: str, arrays: Arrays) -> _Part:
    images = _pictures(tree, file, _first_of(tree, file, arrays, _IMAGES))
    labels = _first_of(tree, file, arrays, _LABELS)
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
        if key not in (*_IMAGES, *_LABELS) and array.shape == labels.shape and array.dtype.kind in "iuUSb"
    }
    return _Part(split, file, images, labels, extra)


def _first_of(tree: Tree, file: str, arrays: Arrays, keys: Sequence[str]) -> NDArray[Any]:
    for key in keys:
        if key in arrays:
            return arrays[key]
    has = ", ".join(sorted(arrays)) or "nothing"
    raise _bad(tree, file, f"it has no array {keys[0]!r}; it has {has}")


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
    return unicodedata.normalize("NFC", printable(text))


def _classes(
    tree: Tree, parts: Sequence[_Part], names: tuple[str, ...] | None
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the class names and the label of every picture, int64 (N,)."""
    values = [value for part in parts for value in part.labels.tolist()]
    if any(part.labels.dtype.kind in "US" for part in parts):
        texts = list(map(_text, values))
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


def _arrays(tree: Tree, file: str, left: int) -> Arrays:
    """Return every array of a file, together at most `left` bytes."""
    content = tree.read(file, at_most=_MOST_BYTES)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
            if len(members) > _MOST_MEMBERS:
                raise _bad(tree, file, f"it holds {len(members)} arrays, more than {_MOST_MEMBERS}")
            arrays: Arrays = {}
            for member in members:
                with archive.open(member) as stream:
                    data = stream.read(left + 1)
                if len(data) > left:
                    raise _bad(tree, file, f"its arrays are more than {_MOST_BYTES} bytes")
                left -= len(data)
                arrays[member.filename.removesuffix(".npy")] = _array(tree, file, member.filename, data)
            return arrays
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError) as error:
        raise _bad(tree, file, f"it cannot be read: {error}") from error


def _array(tree: Tree, file: str, name: str, data: bytes) -> NDArray[Any]:
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read(stream, max_header_size=_MOST_HEADER)
    except (ValueError, KeyError, TypeError) as error:
        raise _bad(tree, file, f"{name} is no array: {error}") from error
    if dtype.hasobject:
        raise _bad(tree, file, f"{name} holds Python objects, which foveal never opens; save plain arrays")
    wanted, found = math.prod(shape) * dtype.itemsize, len(data) - stream.tell()
    if wanted != found:
        raise _bad(tree, file, f"{name} announces {shape} of {dtype}, but {found} bytes follow")
    flat = np.frombuffer(data, dtype=dtype, offset=stream.tell())
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


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
