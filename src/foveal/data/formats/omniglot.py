"""Omniglot as NumPy archives: drawings of the characters of many alphabets, packed to a bit for each pixel.

`images` uint8 (K, M, H, ceil(width / 8)): M drawings of each of K characters, rows packed as by
`numpy.packbits`, 1 = ink; `width` in pixels; `alphabet` (K,): a place in `alphabet_names` for each character;
perhaps `first_character_id`, the official number of the first one. A class is a character, called
`alphabet/character01` as in the original folders, and a picture is black ink on white paper as there. Source:
Lake, Salakhutdinov & Tenenbaum, "Human-level concept learning through probabilistic program induction", 2015.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import DataError
from foveal.core.text import printable
from foveal.data.dataset import Dataset, UInt8
from foveal.data.formats._format import Format
from foveal.data.formats._group_keys import by_key
from foveal.data.formats._groups import GROUPS
from foveal.data.formats._npz_parts import Arrays, npz_files, opened, plain_text, read_arrays
from foveal.data.pictures import RawPicture
from foveal.data.tree import Tree

_NEEDED = ("images", "alphabet", "alphabet_names", "width")
_SPLITS = {"background": "train", "evaluation": "test"}  # as the official parts are called


class _Part(NamedTuple):
    """One file: its name, its split, packed drawings (K, M, H, B), their width, names of the characters."""

    file: str
    split: str
    packed: UInt8
    width: int
    names: tuple[str, ...]
    first: int


def _lacks(tree: Tree) -> str | None:
    files = npz_files(tree)
    if not files:
        return "no .npz in it"
    for file in files:
        try:
            there = set(opened(tree, file).files)
        except DataError:
            return f"{file} cannot be read"
        missing = [name for name in _NEEDED if f"{name}.npy" not in there]
        if missing:
            return f"{file} has no {missing[0]}"
    return None


def _read(tree: Tree, group: str | None) -> Dataset:
    parts = _parts(tree)
    classes = tuple(sorted(name for part in parts for name in part.names))
    if len(set(classes)) < len(classes):
        twice = next(name for name, count in Counter(classes).items() if count > 1)
        raise _bad(tree, parts[-1].file, f"it holds {twice}, which another file holds, too")
    place = {name: k for k, name in enumerate(classes)}
    where = [
        (which, k, drawing)
        for which, part in enumerate(parts)
        for k in range(len(part.names))
        for drawing in range(part.packed.shape[1])
    ]
    names = [parts[which].names[k] for which, k, _ in where]
    sources = tuple(
        f"{name}/{parts[which].first + k:04d}_{drawing + 1:02d}"
        for name, (which, k, drawing) in zip(names, where, strict=True)
    )
    columns: dict[str, Sequence[str]] = {
        "labels": names,
        "alphabet": [name.rpartition("/")[0] for name in names],
        "drawing": [str(drawing + 1) for _, _, drawing in where],
    }
    grouped = by_key(tree, sources, group, columns, label="labels")

    def read(i: int) -> RawPicture:
        which, k, drawing = where[i]
        ink = np.unpackbits(parts[which].packed[k, drawing], axis=-1)[:, : parts[which].width]
        return RawPicture(np.where(ink[..., None] == 1, 0, 255).astype(np.uint8))

    taken = {*npz_files(tree), GROUPS}
    folders: dict[str, tuple[str, ...]] = {}
    for part in parts:
        folders[part.split] = tuple(sorted({*folders.get(part.split, ()), *part.names}))
    return Dataset(
        format="omniglot",
        path=tree.path,
        classes=classes,
        sources=sources,
        labels=np.array([place[name] for name in names], dtype=np.int64),
        splits=tuple(parts[which].split for which, _, _ in where),
        read=read,
        groups=grouped.groups,
        grouped_by=grouped.by,
        not_grouped_by=grouped.unused,
        folders=folders,
        ignored=tuple(printable(name) for name in (*tree.files, *tree.passed_over) if name not in taken),
    )


def _parts(tree: Tree) -> list[_Part]:
    files = npz_files(tree)
    parts = []
    for file in files:
        words = [split for word, split in _SPLITS.items() if word in file.lower()]
        if len(files) > 1 and len(words) != 1:
            raise DataError(
                f"{tree.path} holds several parts of Omniglot, and {file} does not say which one it is",
                code="ambiguous_layout",
                hint="name the file you mean, or call them background.npz and evaluation.npz",
                path=tree.path,
            )
        parts.append(_part(tree, file, words[0] if len(files) > 1 else "", read_arrays(tree, file)))
    return parts


def _part(tree: Tree, file: str, split: str, arrays: Arrays) -> _Part:
    packed, width = arrays["images"], _number(tree, file, arrays, "width")
    if packed.dtype != np.uint8 or packed.ndim != 4 or 0 in packed.shape:
        raise _bad(
            tree, file, f"images are {packed.dtype} {packed.shape}, not uint8 (K, M, H, bytes of a row)"
        )
    if not 8 * packed.shape[3] - 7 <= width <= 8 * packed.shape[3]:
        raise _bad(tree, file, f"rows of {width} pixels do not take {packed.shape[3]} bytes")
    names = _character_names(tree, file, arrays, len(packed))
    first = _number(tree, file, arrays, "first_character_id") if "first_character_id" in arrays else 1
    return _Part(file, split, packed, width, names, first)


def _character_names(tree: Tree, file: str, arrays: Arrays, count: int) -> tuple[str, ...]:
    """Return `alphabet/character01` of each character: they are numbered inside their alphabet."""
    known, of_each = arrays["alphabet_names"], arrays["alphabet"]
    if known.ndim != 1 or known.dtype.kind not in "US":
        raise _bad(tree, file, f"alphabet_names are {known.dtype} {known.shape}, not a list of names")
    if of_each.shape != (count,) or of_each.dtype.kind not in "iu":
        raise _bad(
            tree, file, f"alphabet is {of_each.dtype} {of_each.shape}, not a number for each character"
        )
    alphabets = [plain_text(name) for name in known.tolist()]
    if "" in alphabets or len(set(alphabets)) < len(alphabets):
        raise _bad(tree, file, "of its alphabet_names one is empty, or there twice")
    if count and not 0 <= int(of_each.min()) <= int(of_each.max()) < len(alphabets):
        raise _bad(tree, file, f"alphabet goes beyond the {len(alphabets)} alphabet_names")
    numbers: Counter[int] = Counter()
    names = []
    for which in of_each.tolist():
        numbers[which] += 1
        names.append(f"{alphabets[which]}/character{numbers[which]:02d}")
    return tuple(names)


def _number(tree: Tree, file: str, arrays: Arrays, key: str) -> int:
    array: NDArray[np.int64] = arrays[key]
    if array.shape != () or array.dtype.kind not in "iu":
        raise _bad(tree, file, f"{key} is {array.dtype} {array.shape}, not one whole number")
    return int(array)


def _bad(tree: Tree, file: str, why: str) -> DataError:
    return DataError(
        f"{tree.path}: {file}: {why}",
        code="bad_npz",
        hint="images uint8 (K, M, H, bytes of a row) of packed bits, alphabet (K,), alphabet_names, width",
        path=tree.path,
    )


omniglot = Format(
    looks_for="NAME.npz with images, alphabet, alphabet_names and width",
    lacks=_lacks,
    read=_read,
    precedes=("npz",),
)
