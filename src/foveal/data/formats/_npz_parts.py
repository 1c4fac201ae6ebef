"""The pictures and labels of each split in NumPy archives, checked before they are believed."""

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from foveal.core.errors import DataError, ImageError
from foveal.core.text import printable
from foveal.data.archive import zip_tree
from foveal.data.archive_limits import ArchiveLimits
from foveal.data.bands import KINDS, MOST
from foveal.data.formats._band_names import checked
from foveal.data.formats._classes import class_name
from foveal.data.formats._splits import ORDER, SPLITS, splits_in
from foveal.data.npy import read_npy
from foveal.data.tree import Tree

IMAGES, LABELS = ("images", "x"), ("labels", "label", "y")
_PERSON = "subject"  # who is on a picture: its label where it has no other, else something to group by
_NAMES, _BANDS = "class_names", "band_names"
_MOST_BYTES = 2**31  # of all arrays together, unpacked in memory
_LIMITS = ArchiveLimits(members=1000, index_bytes=2**20)
Arrays = dict[str, NDArray[Any]]


class Part(NamedTuple):
    """The pictures of one split.

    Attributes:
        split: Its name, or "" where the file tells none.
        file: The archive that holds them.
        images: uint8 (N, H, W, C), or another type that a band may have.
        labels: (N,), integers or names.
        extra: Other arrays of N values, by key.
        rest: Keys of arrays that are none of these.
    """

    split: str
    file: str
    images: NDArray[Any]
    labels: NDArray[Any]
    extra: Arrays
    rest: tuple[str, ...]


def npz_files(tree: Tree) -> list[str]:
    """Return the NumPy archives at the root of a tree."""
    return [name for name in tree.files if name.lower().endswith(".npz") and "/" not in name]


def read_parts(tree: Tree) -> tuple[list[Part], tuple[str, ...] | None, tuple[str, ...]]:
    """Return the pictures of every split, in order, and names of classes and of bands if a file has them.

    Raises:
        DataError: `bad_npz`, `label_count_mismatch`, `ambiguous_layout`, or what is wrong with a zip.
    """
    parts: list[Part] = []
    names: tuple[str, ...] | None = None
    bands: tuple[str, ...] = ()
    left = _MOST_BYTES
    for file in npz_files(tree):
        arrays = read_arrays(tree, file, at_most=left)
        left -= sum(array.nbytes for array in arrays.values())
        found = _names(tree, file, arrays.pop(_NAMES)) if _NAMES in arrays else None
        if found is not None and names is not None and found != names:
            raise bad(tree, file, "its class_names differ from those of another file")
        names = found or names
        named = band_names(tree, file, arrays.pop(_BANDS)) if _BANDS in arrays else ()
        if named and bands and named != bands:
            raise bad(tree, file, "its band_names differ from those of another file")
        bands = named or bands
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
    return sorted(parts, key=lambda part: ORDER.index(part.split) if part.split else 0), names, bands


def _parts_of(tree: Tree, file: str, arrays: Arrays) -> list[Part]:
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
    if any(key in arrays for key in IMAGES):
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
            raise bad(tree, file, f"it has several {name!r} of {SPLITS[split.lower()]}")
        mine[name] = array
    return found, tuple(rest)


def _part(tree: Tree, file: str, split: str, arrays: Arrays, rest: tuple[str, ...]) -> Part:
    alone = _PERSON in arrays and not any(key in arrays for key in LABELS)
    image_key = _one_of(tree, file, arrays, IMAGES)
    label_key = _PERSON if alone else _one_of(tree, file, arrays, LABELS)
    images, labels = _pictures(tree, file, arrays[image_key]), arrays[label_key]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iuUS":
        raise bad(tree, file, f"labels are {labels.dtype} {labels.shape}, not N integers or names")
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
    return Part(split, file, images, labels, extra, (*rest, *others))


def _one_of(tree: Tree, file: str, arrays: Arrays, keys: Sequence[str]) -> str:
    found = [key for key in keys if key in arrays]
    if len(found) > 1:
        raise bad(tree, file, f"it has {' and '.join(map(repr, found))}; which is meant?")
    if not found:
        has = ", ".join(map(printable, sorted(arrays))) or "nothing"
        raise bad(tree, file, f"it has no array {keys[0]!r}; it has {has}")
    return found[0]


def _pictures(tree: Tree, file: str, images: NDArray[Any]) -> NDArray[Any]:
    """Return pictures (N, H, W, C)."""
    if images.dtype.name not in KINDS:
        raise bad(
            tree, file, f"images are {images.dtype}, not uint8 from 0 to 255, or {', '.join(KINDS[1:])}"
        )
    if images.ndim not in (3, 4) or 0 in images.shape[1:]:
        raise bad(tree, file, f"images have the shape {images.shape}, not (N, H, W) or (N, H, W, C)")
    shaped = images if images.ndim == 4 else images[..., None]
    if shaped.shape[1] in (1, 3) and shaped.shape[3] > 4:
        raise bad(tree, file, f"images {images.shape} have their channels first; save them as (N, H, W, C)")
    if shaped.shape[3] > MOST:
        raise bad(tree, file, f"pictures of {shaped.shape[3]} channels; at most {MOST}")
    return shaped


def _names(tree: Tree, file: str, array: NDArray[Any]) -> tuple[str, ...]:
    if array.ndim != 1 or array.dtype.kind not in "US":
        raise bad(tree, file, f"class_names are {array.dtype} {array.shape}, not a list of names")
    names = tuple(map(plain_text, array.tolist()))
    if "" in names or len(set(names)) != len(names):
        raise bad(tree, file, "of its class_names one is empty, or there twice")
    return names


def band_names(tree: Tree, file: str, array: NDArray[Any]) -> tuple[str, ...]:
    """Return an array of names of bands.

    Raises:
        DataError: `bad_npz`, `band_names`: it is none.
    """
    if array.ndim != 1 or array.dtype.kind not in "US":
        raise bad(tree, file, f"{_BANDS} are {array.dtype} {array.shape}, not a list of names")
    return checked(tree, file, list(map(plain_text, array.tolist())))


def plain_text(value: object) -> str:
    """Return an element of an array as the name of a class."""
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
    return class_name(text.strip())


def opened(tree: Tree, file: str) -> Tree:
    """Return the members of one of the archives.

    Raises:
        DataError: `bad_npz`: it is too long; or what is wrong with it as a zip.
    """
    content = tree.read(file, at_most=_MOST_BYTES)
    if len(content) > _MOST_BYTES:
        raise bad(tree, file, f"it is more than {_MOST_BYTES} bytes")
    return zip_tree(tree.path if tree.kind == "file" else tree.path / file, io.BytesIO(content), _LIMITS)


def read_arrays(tree: Tree, file: str, *, at_most: int = _MOST_BYTES) -> Arrays:
    """Return every array of a file, together at most so many bytes.

    Raises:
        DataError: `bad_npz`, or what is wrong with it as a zip.
    """
    archive = opened(tree, file)
    arrays: Arrays = {}
    left = at_most
    for name in archive.files:
        if not name.endswith(".npy"):
            continue
        try:
            data = archive.read(name, at_most=left)
            if len(data) > left:
                raise bad(tree, file, f"its arrays are more than {_MOST_BYTES} bytes")
            left -= len(data)
            arrays[name.removesuffix(".npy")] = read_npy(data)
        except ImageError as error:
            raise bad(tree, file, f"it cannot be read: {error.message}") from error
        except ValueError as error:
            if isinstance(error, DataError):
                raise
            raise bad(tree, file, f"{printable(name)} {error}") from error
    return arrays


def bad(tree: Tree, file: str, why: str) -> DataError:
    """Return the error of a file that holds something else than labelled pictures."""
    return DataError(
        f"{tree.path}: {file}: {why}",
        code="bad_npz",
        hint="numpy.savez(FILE, images=uint8 (N, H, W, C), labels=(N,), class_names=(K,))",
        path=tree.path,
    )
