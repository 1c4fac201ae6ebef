"""What the layouts that can be written share: a row for each picture, files that replace none, tables."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from foveal.core import files
from foveal.core.errors import ImageError
from foveal.core.progress import Progress
from foveal.data.dataset import Dataset, Picture
from foveal.data.pictures import RawPicture
from foveal.data.suffixes import is_picture, is_stack

_UNSAFE = re.compile(r"[^\w.+-]+")
_LONGEST_STEM = 80
LeftOut = list[tuple[int, ImageError]]  # indices of pictures that could not be written, and why


@dataclass(frozen=True)
class Row:
    """A picture to be written.

    Attributes:
        index: Of the picture in the data set.
        name: Of a file for it; no other picture of its class and split has one that differs only in case or
            in its suffix, and of pictures with annotations no other at all.
        split: `train`, `val`, `test` or `""`.
        label: Name of its class; `""` where it says what is where on it.
        group: What it belongs to; `""` where it stands alone.
    """

    index: int
    name: str
    split: str
    label: str
    group: str


class Written(NamedTuple):
    """What a layout holds now: the classes that reading gives, and the pictures that could not be written."""

    classes: tuple[str, ...]
    left_out: LeftOut


def rows_of(dataset: Dataset) -> Iterator[Row]:
    """Yield a row for each picture, in order."""
    taken: set[tuple[str, str, str]] = set()
    for index, source in enumerate(dataset.sources):
        split = dataset.splits[index]
        label = "" if dataset.scenes is not None else dataset.classes[dataset.labels[index]]
        stem = _stem(source)
        # Also not beside another suffix: it would be taken for a mask.
        # Annotations lie in one folder, some of them for all splits.
        while (key := (split if dataset.scenes is None else "", label, _folded(stem))) in taken:
            stem = f"{stem}-{index}"
        taken.add(key)
        kind, _, group = (dataset.groups[index] if dataset.groups else "").partition(" ")
        yield Row(index, f"{stem}{_suffix(source)}", split, label, group if kind == "group" else "")


def _folded(name: str) -> str:
    """Return what is equal for names that some file system takes for one."""
    return unicodedata.normalize("NFC", name).casefold()


def _stem(source: str) -> str:
    name = source.rpartition("/")[2]
    if is_picture(name) or is_stack(name):
        name = name.rpartition(".")[0]
    return _UNSAFE.sub("-", name).strip("-.")[:_LONGEST_STEM] or "picture"


def _suffix(source: str) -> str:
    """Return the suffix of a picture file; pixels of an array become PNG."""
    return f".{source.rpartition('.')[2].lower()}" if is_picture(source) or is_stack(source) else ".png"


def write_pictures(dataset: Dataset, places: Mapping[int, str], folder: Path, progress: Progress) -> LeftOut:
    """Write every picture whose bytes can be had, damaged or not; return the others.

    Args:
        dataset: Gives the pictures.
        places: Names of the files below `folder`, by index; their folders are there.
        folder: Where to.
        progress: Told now and then.

    Raises:
        OSError: A file cannot be written, or is there already, perhaps in other letters.
    """
    left_out: LeftOut = []
    for done, (index, place) in enumerate(places.items(), start=1):
        try:
            content = _content(dataset.read(index))
        except ImageError as error:
            left_out.append((index, error))
            continue
        with (folder / place).open("xb") as file:
            file.write(content)
        if done % 500 == 0 or done == len(places):
            progress("writing", done, len(places))
    return left_out


def _content(picture: Picture) -> bytes:
    if not isinstance(picture, RawPicture):
        return picture.content
    channels = picture.pixels.shape[2]
    if channels not in (1, 3) or picture.pixels.dtype != np.uint8:
        what = picture.header().mode
        raise ImageError(f"{what} cannot be written as PNG", code="color_unsupported")
    shown = picture.pixels[:, :, 0] if channels == 1 else picture.pixels
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(shown)).save(file, "PNG")
    return file.getvalue()


def written_rows(rows: Iterable[Row], left_out: LeftOut) -> list[Row]:
    """Return the rows whose pictures are there now."""
    gone = {index for index, _ in left_out}
    return [row for row in rows if row.index not in gone]


def write_table(path: Path, table: Iterable[Sequence[str]]) -> None:
    """Write lines of cells as CSV.

    Raises:
        WriteError: It cannot be written.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    files.write_text(path, text.getvalue())
