"""The IDX files of MNIST and its kin: `train-images-idx3-ubyte(.gz)`, and so on.

Source: the format description of Y. LeCun's MNIST page: two zero bytes, type 0x08 (unsigned byte),
number of dimensions, each dimension as a big-endian 32-bit number, then the values.
"""

import math
import re
import struct
import unicodedata
import zlib
from typing import NamedTuple

import numpy as np

from foveal.core.errors import DataError
from foveal.data.dataset import Dataset, UInt8
from foveal.data.formats._format import Format
from foveal.data.formats._group_keys import by_name
from foveal.data.formats._groups import GROUPS
from foveal.data.pictures import RawPicture
from foveal.data.tree import Tree, below, parents

_NAME = re.compile(r"(?:.*/)?(train|t10k|test)-(images|labels)[-.]idx(\d)-ubyte(\.gz)?")
_SPLITS = {"train": "train", "t10k": "test", "test": "test"}
_CLASS_FILES = ("classes.txt", "labels.txt")
_MOST_BYTES = 2**31  # unpacked in memory
_UNSIGNED_BYTE = 8
_LONGEST_HEADER = 20  # four dimensions
_MOST_CHANNELS = 32  # what Preprocess takes


class _Part(NamedTuple):
    split: str
    name: str  # of the image file, without .gz
    images: UInt8  # (N, H, W, C)
    labels: UInt8  # (N,)


def _found(tree: Tree) -> dict[tuple[str, str], str]:
    """Return the files by (split, `images` or `labels`); a plain file wins over its .gz twin."""
    found: dict[tuple[str, str], str] = {}
    for name in sorted(tree.files, reverse=True):  # the shorter, plain name comes last and stays
        if match := _NAME.fullmatch(name):
            found[_SPLITS[match[1]], match[2]] = name
    return found


def _lacks(tree: Tree) -> str | None:
    found = _found(tree)
    if not found:
        return "no file called like train-images-idx3-ubyte(.gz)"
    missing = [
        f"the {'labels' if what == 'images' else 'images'} of {split}"
        for split, what in found
        if (split, "labels" if what == "images" else "images") not in found
    ]
    return f"{' and '.join(missing)} missing" if missing else None


def _folder(tree: Tree) -> str:
    """Return the one folder that all files of the set lie in.

    Raises:
        DataError: `ambiguous_layout`: they lie in several, so these may be several sets.
    """
    folders = sorted({name.rpartition("/")[0] for name in tree.files if _NAME.fullmatch(name)})
    if len(folders) > 1:
        raise DataError(
            f"{tree.path} has IDX files in several folders: {', '.join(name or '.' for name in folders[:5])}",
            code="ambiguous_layout",
            hint="name the folder you mean, or put the files of one set into one folder",
            path=tree.path,
        )
    return folders[0]


def _read(tree: Tree, group: str | None) -> Dataset:
    found, folder = _found(tree), _folder(tree)
    class_file = _class_file(tree, folder)
    parts = [_part(tree, found, split) for split in ("train", "test") if (split, "images") in found]
    numbers = sorted({int(label) for part in parts for label in np.unique(part.labels)})
    classes, index = _classes(tree, class_file, numbers)
    offsets = np.cumsum([0, *(len(part.images) for part in parts)])

    def read(i: int) -> RawPicture:
        which = int(np.searchsorted(offsets, i, side="right")) - 1
        return RawPicture(parts[which].images[i - offsets[which]])

    sources = tuple(f"{part.name}#{i}" for part in parts for i in range(len(part.images)))
    grouped = by_name(below(tree, folder) if folder else tree, sources, group)
    taken = {*found.values(), class_file, f"{folder}/{GROUPS}" if folder else GROUPS}
    table = np.zeros(256, dtype=np.int64)
    table[list(index)] = list(index.values())
    return Dataset(
        format="idx",
        path=tree.path,
        classes=classes,
        sources=sources,
        labels=np.concatenate([table[part.labels] for part in parts]),
        splits=tuple(part.split for part in parts for _ in range(len(part.images))),
        read=read,
        groups=grouped.groups,
        grouped_by=grouped.by,
        not_grouped_by=grouped.unused,
        folders={p.split: tuple(classes[index[int(n)]] for n in np.unique(p.labels)) for p in parts},
        ignored=tuple(n for n in tree.files if n not in taken),
    )


def _part(tree: Tree, found: dict[tuple[str, str], str], split: str) -> _Part:
    image_file, label_file = found[split, "images"], found[split, "labels"]
    images, labels = _array(tree, image_file), _array(tree, label_file)
    if images.ndim not in (3, 4) or labels.ndim != 1 or 0 in images.shape[1:]:
        raise _broken(
            tree, image_file, f"shapes {images.shape} and {labels.shape} are no pictures with labels"
        )
    if len(images) != len(labels):
        raise DataError(
            f"{tree.path}: {image_file} holds {len(images)} pictures, {label_file} {len(labels)} labels",
            code="label_count_mismatch",
            hint="the two files do not belong together, or one is damaged",
            path=tree.path,
        )
    if images.ndim == 4 and images.shape[3] > _MOST_CHANNELS:
        why = f"pictures of {images.shape[3]} channels; at most {_MOST_CHANNELS} can be learned from"
        raise _broken(tree, image_file, why)
    shaped = images if images.ndim == 4 else images[..., None]
    return _Part(split, image_file.rpartition("/")[2].removesuffix(".gz"), shaped, labels)


def _array(tree: Tree, name: str) -> UInt8:
    content = tree.read(name, at_most=_MOST_BYTES)
    packed = name.endswith(".gz")
    head = _gunzip(tree, name, content, _LONGEST_HEADER) if packed else content[:_LONGEST_HEADER]
    rank = head[3] if len(head) > 3 else 0
    start = 4 + 4 * rank
    if head[:3] != bytes((0, 0, _UNSIGNED_BYTE)) or not rank or len(head) < start:
        raise _broken(tree, name, "it has no IDX header of unsigned bytes")
    shape = struct.unpack_from(f">{rank}I", head, 4)
    wanted = start + math.prod(shape)
    if wanted > _MOST_BYTES:
        raise _broken(tree, name, f"the header announces {shape}, more than {_MOST_BYTES} bytes")
    # One byte more than announced tells what is too long, without unpacking all of it.
    values = _gunzip(tree, name, content, wanted + 1) if packed else content
    if len(values) != wanted:
        found = f"more than {wanted - start}" if len(values) > wanted else f"{len(values) - start}"
        raise _broken(tree, name, f"the header announces {shape}, but {found} values follow")
    return np.frombuffer(values, dtype=np.uint8, offset=start).reshape(shape)


def _gunzip(tree: Tree, name: str, content: bytes, at_most: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(content, at_most)
    except zlib.error as error:
        raise _broken(tree, name, str(error)) from error
    if len(plain) < at_most and not unpacker.eof:
        raise _broken(tree, name, "the gzip data ends too early")
    return plain


def _broken(tree: Tree, name: str, why: str) -> DataError:
    return DataError(
        f"{tree.path}: {name}: {why}", code="bad_idx", hint="download or copy the file again", path=tree.path
    )


def _classes(tree: Tree, name: str | None, numbers: list[int]) -> tuple[tuple[str, ...], dict[int, int]]:
    """Return class names and the index of each label number; without a file of names, the numbers."""
    if name is None:
        return tuple(map(str, numbers)), {number: label for label, number in enumerate(numbers)}
    names = _class_names(tree, name)
    if numbers and numbers[-1] >= len(names):
        raise DataError(
            f"{tree.path}: {name} names {len(names)} classes, but label {numbers[-1]} occurs",
            code="label_without_name",
            hint="one class name per line, in the order of the labels",
            path=tree.path,
        )
    return names, {number: number for number in range(len(names))}


def _class_file(tree: Tree, folder: str) -> str | None:
    """Return the file of names beside the pictures, or in a folder around them; the nearest one."""
    around = ("", folder, *parents(folder))
    found = [
        name
        for name in tree.files
        if name.rpartition("/")[2] in _CLASS_FILES and name.rpartition("/")[0] in around
    ]
    return max(found, key=lambda name: name.count("/"), default=None)


def _class_names(tree: Tree, name: str) -> tuple[str, ...]:
    """Return one name per line, in Unicode NFC.

    Raises:
        DataError: `bad_class_names`: a name is there twice, or is empty: then all behind it would be off
            by one.
    """
    text = tree.read(name, at_most=2**20).decode("utf-8", "replace").rstrip()
    lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        found = unicodedata.normalize("NFC", line.strip())
        if not found or found in lines:
            what = f"{found!r} is on line {lines[found]} too" if found else "it is empty"
            raise DataError(
                f"{tree.path}: {name}, line {number}: {what}",
                code="bad_class_names",
                hint="one class name per line, each another one, in the order of the labels",
                path=tree.path,
            )
        lines[found] = number
    return tuple(lines)


idx = Format(
    looks_for="train-images-idx3-ubyte(.gz), train-labels-idx1-ubyte(.gz), t10k-… (MNIST)",
    lacks=_lacks,
    read=_read,
)
