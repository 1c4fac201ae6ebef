"""NumPy archives: `images` (N, H, W[, C]) and `labels`, one file for each split or one for all.

Images are uint8, or stacks of bands of another type; `band_names` (C,) may name them.

Also what Keras calls `x_train`, `y_train`, `x_test`, `y_test`, and others `train_images`, `train_labels`. An
archive is a zip and is read as any other is; arrays of Python objects are refused.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import DataError, ImageError
from foveal.core.progress import Progress
from foveal.core.text import printable
from foveal.data.dataset import Dataset, UInt8
from foveal.data.formats._format import Format
from foveal.data.formats._group_keys import by_key
from foveal.data.formats._groups import GROUPS
from foveal.data.formats._npz_parts import (
    IMAGES,
    LABELS,
    Part,
    bad,
    npz_files,
    opened,
    plain_text,
    read_parts,
)
from foveal.data.formats._writing import LeftOut, Row, Written
from foveal.data.pictures import RawPicture
from foveal.data.sizing import suggest_channels
from foveal.data.suffixes import is_picture
from foveal.data.tree import Tree


def _lacks(tree: Tree) -> str | None:
    files = npz_files(tree)
    if not files:
        return "no .npz in it"
    if any(map(is_picture, tree.files)) and not any(_is_labelled(tree, file) for file in files):
        return f"{files[0]}, beside picture files, has no images with labels"
    return None


def _is_labelled(tree: Tree, file: str) -> bool:
    """Return whether an archive beside picture files could be the data, and not something made from them."""
    try:
        members = opened(tree, file).files
    except DataError:
        return False
    words = {word for name in members for word in name.removesuffix(".npy").split("_")}
    return not words.isdisjoint(IMAGES) and not words.isdisjoint(LABELS)


def _read(tree: Tree, group: str | None) -> Dataset:
    parts, names, bands = read_parts(tree)
    classes, labels = _classes(tree, parts, names)
    sources = tuple(f"{part.file}#{i}" for part in parts for i in range(len(part.images)))
    offsets = np.cumsum([0, *(len(part.images) for part in parts)])
    there = list(dict.fromkeys(["labels", *(key for part in parts for key in part.extra)]))
    grouped = by_key(tree, sources, group, {key: _column(parts, key) for key in there}, label="labels")

    def read(i: int) -> RawPicture:
        which = int(np.searchsorted(offsets, i, side="right")) - 1
        return RawPicture(parts[which].images[i - offsets[which]])

    taken = {*npz_files(tree), GROUPS}
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
            *(printable(name) for name in (*tree.files, *tree.passed_over) if name not in taken),
            *dict.fromkeys(f"{part.file}: {printable(key)}" for part in parts for key in part.rest),
        ),
        band_names=bands,
    )


def _classes(
    tree: Tree, parts: Sequence[Part], names: tuple[str, ...] | None
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the class names and the label of every picture, int64 (N,)."""
    values = [value for part in parts for value in part.labels.tolist()]
    if any(part.labels.dtype.kind in "US" for part in parts):
        texts = list(map(plain_text, values))
        if "" in texts:
            raise bad(tree, parts[0].file, f"picture {texts.index('')} has an empty label")
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


def _column(parts: Sequence[Part], key: str) -> list[str]:
    """Return a key's value for each picture; empty where its file lacks the key."""
    values: list[str] = []
    for part in parts:
        array = part.labels if key == "labels" else part.extra.get(key)
        values += [""] * len(part.images) if array is None else map(plain_text, array.tolist())
    return values


def _write(dataset: Dataset, rows: Sequence[Row], folder: Path, progress: Progress) -> Written:
    """Write a file for each split; files become pixels, and all must have one size.

    Raises:
        DataError: `several_sizes`.
    """
    channels = suggest_channels(dataset)
    left_out: LeftOut = []
    done = 0
    for split in dict.fromkeys(row.split for row in rows):
        pictures: list[UInt8] = []
        kept: list[Row] = []
        for row in (row for row in rows if row.split == split):
            done += 1
            try:
                pictures.append(dataset.read(row.index).decode(channels))
                kept.append(row)
            except ImageError as error:
                left_out.append((row.index, error))
            if done % 500 == 0 or done == len(rows):
                progress("decoding", done, len(rows))
        shapes = {pixels.shape for pixels in pictures}
        if len(shapes) > 1:
            raise DataError(
                f"an NPZ holds pictures of one size; {dataset.path} has {len(shapes)} sizes",
                code="several_sizes",
                hint="--to image_folder or --to csv_manifest keeps them as they are",
                path=dataset.path,
            )
        if pictures:
            _write_file(folder / (f"data_{split}.npz" if split else "data.npz"), dataset, kept, pictures)
    return Written(dataset.classes, left_out)


def _write_file(path: Path, dataset: Dataset, rows: Sequence[Row], pictures: Sequence[UInt8]) -> None:
    groups = {"group": np.array([row.group for row in rows])} if any(row.group for row in rows) else {}
    np.savez_compressed(
        path,
        allow_pickle=False,
        images=np.stack(pictures),
        labels=np.array([dataset.labels[row.index] for row in rows]),
        class_names=np.array(dataset.classes),
        **groups,
    )


npz = Format(
    looks_for="NAME.npz with images and labels, or NAME_train.npz and NAME_test.npz",
    lacks=_lacks,
    read=_read,
    write=_write,
)
