"""`foveal data convert`: the same pictures, classes, splits and groups in another layout."""

import csv
import io
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from foveal.core import files, runs
from foveal.core.errors import DataError, ImageError, UnknownNameError, UsageError, WriteError
from foveal.core.progress import Progress, silent
from foveal.data import inventory as inventories
from foveal.data import split as splits
from foveal.data.dataset import Dataset, Picture
from foveal.data.formats._groups import GROUPS
from foveal.data.formats._splits import SPLITS
from foveal.data.pictures import RawPicture
from foveal.data.sizing import suggest_channels
from foveal.data.suffixes import is_picture
from foveal.data.tree import is_clutter

SCHEMA = "foveal.data/1"
_SPLIT_OF_ROLE = {"fit": "train", "calib": "val", "test": "test"}
_UNSAFE = re.compile(r"[^\w.+-]+")
_LONGEST_STEM = 80
_NO_FOLDER = re.compile(r'[/\\\0]|^\.|[<>:"|?*]')


@dataclass(frozen=True)
class _Row:
    index: int
    name: str  # of the file to write, unique in its folder
    split: str
    label: str
    group: str


def convert(
    dataset: Dataset,
    folder: Path,
    *,
    to: str,
    split_seed: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Write a data set in another layout, whole or not at all, and return the `foveal.data/1` document.

    Files keep their bytes; pixels that lie in arrays become PNG, and for `npz` files become pixels.

    Args:
        dataset: As `data.open` returned it; it is only read.
        folder: New, or empty.
        to: `image_folder`, `csv_manifest` or `npz`.
        split_seed: Write the train, val and test of a training with this seed; None: the splits there are.
        progress: Told a few times a second.

    Raises:
        UnknownNameError: No such layout to write.
        DataError: For folders, a class name that no folder can have; for `npz`, pictures of several sizes.
        WriteError: The folder is not empty, lies in the data, or cannot be written.
    """
    writers: dict[str, Callable[..., list[tuple[str, ImageError]]]] = {
        "image_folder": _image_folder,
        "csv_manifest": _csv_manifest,
        "npz": _npz,
    }
    if to not in writers:
        raise UnknownNameError("layouts to write", to, writers)
    runs.keep_apart(folder, dataset.path)
    if files.is_there(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise WriteError(f"{folder} is not empty", hint="choose another folder", path=folder)
    if split_seed is not None:
        dataset = _divided(dataset, split_seed, progress)
    rows = list(_rows(dataset))
    files.make_folder(folder.parent)
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".convert-") as temporary:
            fresh = Path(temporary) / "data"
            fresh.mkdir()
            left_out = writers[to](dataset, rows, fresh, progress)
            fresh.replace(folder)  # an empty folder; anything else was refused
    except OSError as error:
        if isinstance(error, WriteError | ImageError):
            raise
        raise WriteError(f"cannot write {folder}: {error.strerror}", path=folder) from error
    gone = {source for source, _ in left_out}
    kept = [row for row in rows if dataset.sources[row.index] not in gone]
    return {
        "schema": SCHEMA,
        "ok": True,
        "action": "convert",
        "path": str(dataset.path),
        "out": str(folder),
        "format": to,
        "images": len(kept),
        "classes": list(dataset.classes),
        "splits": dict(Counter(row.split for row in kept)),
        "groups": None if dataset.groups is None else len(set(dataset.groups)),
        "left_out": [{"source": source, "error": error.as_json()} for source, error in left_out],
    }


def _divided(dataset: Dataset, seed: int, progress: Progress) -> Dataset:
    made = splits.make(dataset, inventories.take(dataset, progress=progress), seed=seed)
    names = list(dataset.splits)
    for role, name in _SPLIT_OF_ROLE.items():
        for index in made.role(role).tolist():
            names[index] = name
    # What cannot be read has no role; it stays with what is learned from, where `check` names it.
    return replace(dataset, splits=tuple(name or "train" for name in names))


def _rows(dataset: Dataset) -> Iterator[_Row]:
    """Yield a row per picture with a file name that no other picture of its class and split has."""
    taken: set[tuple[str, str, str]] = set()
    for index, source in enumerate(dataset.sources):
        split, label = dataset.splits[index], dataset.classes[dataset.labels[index]]
        stem, suffix = _stem(source), _suffix(source)
        name = f"{stem}{suffix}"
        if (split, label, stem.lower()) in taken:  # also not beside another suffix: it would be a mask
            name = f"{stem}-{index}{suffix}"
        taken.add((split, label, stem.lower()))
        group = "" if dataset.groups is None else dataset.groups[index]
        yield _Row(index, name, split, label, group.removeprefix("group ") if group[:6] == "group " else "")


def _stem(source: str) -> str:
    name = source.rpartition("/")[2]
    if is_picture(name):
        name = name.rpartition(".")[0]
    return _UNSAFE.sub("-", name).strip("-.")[:_LONGEST_STEM] or "picture"


def _suffix(source: str) -> str:
    """Return the suffix of a picture file; pixels of an array become PNG."""
    return f".{source.rpartition('.')[2].lower()}" if is_picture(source) else ".png"


def _image_folder(
    dataset: Dataset, rows: Sequence[_Row], folder: Path, progress: Progress
) -> list[tuple[str, ImageError]]:
    known = (*SPLITS, GROUPS)  # these would be read as something else
    odd = [
        name
        for name in dataset.classes
        if _NO_FOLDER.search(name)
        or is_clutter(name)
        or name.lower() in known
        or len(name.encode()) > files.NAME_BYTES
    ]
    if odd:
        raise DataError(
            f"the class {odd[0]!r} cannot be the name of a folder",
            code="bad_class_names",
            hint="--to csv_manifest takes any name",
            path=dataset.path,
        )
    splits_used = {row.split for row in rows} != {""}
    for name in {row.split for row in rows}:
        for label in dataset.folders.get(name, dataset.classes):
            (folder / name / label if splits_used else folder / label).mkdir(parents=True, exist_ok=True)
    places = {row.index: f"{row.split}/{row.label}/{row.name}".lstrip("/") for row in rows}
    left_out = _write_pictures(dataset, places, folder, progress)
    if any(row.group for row in rows):
        table = [["picture", "group"], *([places[row.index], row.group] for row in rows if row.group)]
        _write_table(folder / "groups.csv", _without(table, left_out, dataset, places))
    return left_out


def _csv_manifest(
    dataset: Dataset, rows: Sequence[_Row], folder: Path, progress: Progress
) -> list[tuple[str, ImageError]]:
    places = {row.index: f"pictures/{row.index:07d}-{row.name}" for row in rows}
    (folder / "pictures").mkdir()
    left_out = _write_pictures(dataset, places, folder, progress)
    header = ["path", "label", "split", "group"]
    table = [header, *([places[row.index], row.label, row.split, row.group] for row in rows)]
    kept = [
        column for column, name in enumerate(header) if column < 2 or any(line[column] for line in table[1:])
    ]
    table = [[line[column] for column in kept] for line in table]
    _write_table(folder / "manifest.csv", _without(table, left_out, dataset, places))
    return left_out


def _without(
    table: list[list[str]],
    left_out: Sequence[tuple[str, ImageError]],
    dataset: Dataset,
    places: dict[int, str],
) -> list[list[str]]:
    gone = {source for source, _ in left_out}
    unwritten = {place for index, place in places.items() if dataset.sources[index] in gone}
    return [line for line in table if line[0] not in unwritten]


def _write_table(path: Path, table: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    files.write_text(path, text.getvalue())


def _write_pictures(
    dataset: Dataset, places: dict[int, str], folder: Path, progress: Progress
) -> list[tuple[str, ImageError]]:
    """Write every picture whose bytes can be had, damaged or not; return the others."""
    left_out = []
    for done, (index, place) in enumerate(places.items(), start=1):
        try:
            content = _content(dataset.read(index))
        except ImageError as error:
            left_out.append((dataset.sources[index], error))
            continue
        (folder / place).write_bytes(content)
        if done % 500 == 0 or done == len(places):
            progress("writing", done, len(places))
    return left_out


def _content(picture: Picture) -> bytes:
    if not isinstance(picture, RawPicture):
        return picture.content
    channels = picture.pixels.shape[2]
    if channels not in (1, 3):
        raise ImageError(f"{channels} channels cannot be written as PNG", code="color_unsupported")
    shown = picture.pixels[:, :, 0] if channels == 1 else picture.pixels
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(shown)).save(file, "PNG")
    return file.getvalue()


def _npz(
    dataset: Dataset, rows: Sequence[_Row], folder: Path, progress: Progress
) -> list[tuple[str, ImageError]]:
    channels = suggest_channels(dataset)
    left_out: list[tuple[str, ImageError]] = []
    done = 0
    for split in dict.fromkeys(row.split for row in rows):
        pictures: list[NDArray[np.uint8]] = []
        kept: list[_Row] = []
        for row in (row for row in rows if row.split == split):
            done += 1
            try:
                pictures.append(dataset.read(row.index).decode(channels))
                kept.append(row)
            except ImageError as error:
                left_out.append((dataset.sources[row.index], error))
            if done % 500 == 0 or done == len(rows):
                progress("decoding", done, len(rows))
        shapes = {pixels.shape for pixels in pictures}
        if len(shapes) > 1:
            raise UsageError(
                f"an NPZ holds pictures of one size; {dataset.path} has {len(shapes)} sizes",
                hint="--to image_folder or --to csv_manifest keeps them as they are",
            )
        if pictures:
            _write_npz(folder / (f"data_{split}.npz" if split else "data.npz"), dataset, kept, pictures)
    return left_out


def _write_npz(
    path: Path, dataset: Dataset, rows: Sequence[_Row], pictures: Sequence[NDArray[np.uint8]]
) -> None:
    groups = {"group": np.array([row.group for row in rows])} if any(row.group for row in rows) else {}
    np.savez_compressed(
        path,
        allow_pickle=False,
        images=np.stack(pictures),
        labels=np.array([dataset.labels[row.index] for row in rows]),
        class_names=np.array(dataset.classes),
        **groups,
    )
