"""`foveal data show`: how many pictures of what there are, and some of each to look at."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from foveal.core import files
from foveal.core.errors import ImageError
from foveal.core.progress import Progress, silent
from foveal.data.clips import stills
from foveal.data.dataset import Dataset, UInt8
from foveal.data.sizing import evenly_spaced

SCHEMA = "foveal.data/1"
_PER_CLASS = 8
_PICTURES = 800  # in memory at once, from where on a class shows fewer


@dataclass(frozen=True)
class Shown:
    """What was found.

    Attributes:
        document: The `foveal.data/1` document.
        pictures: Some readable ones of each class, uint8 (H, W, C), in the order of the classes.
    """

    document: dict[str, Any]
    pictures: tuple[tuple[UInt8, ...], ...] = field(repr=False)


def show(dataset: Dataset, *, progress: Progress = silent) -> Shown:
    """Count pictures by class and split, and decode a few of each class, evenly over its list.

    Args:
        dataset: As `data.open` returned it.
        progress: Told after every class.
    """
    seen = stills(dataset)  # of clips the middle frames
    each = max(1, min(_PER_CLASS, _PICTURES // len(dataset.classes)))
    splits = np.array(dataset.splits)
    pictures, rows = [], []
    widths: list[int] = []
    heights: list[int] = []
    for label, name in enumerate(dataset.classes):
        mine = np.flatnonzero(dataset.labels == label)
        chosen = [_pixels(seen, int(mine[i])) for i in evenly_spaced(len(mine), at_most=each)]
        readable = tuple(pixels for pixels in chosen if pixels is not None)
        widths += [pixels.shape[1] for pixels in readable]
        heights += [pixels.shape[0] for pixels in readable]
        pictures.append(readable)
        rows.append({"class": name, "images": len(mine), "splits": dict(Counter(splits[mine].tolist()))})
        progress("looking", label + 1, len(dataset.classes))
    document = {
        "schema": SCHEMA,
        "ok": True,
        "action": "show",
        "path": str(dataset.path),
        "format": dataset.format,
        "images": len(dataset),
        "classes": list(dataset.classes),
        "splits": dict(Counter(dataset.splits)),
        "groups": None if dataset.groups is None else len(set(dataset.groups)),
        "grouped_by": list(dataset.grouped_by),
        "per_class": rows,
        "shown": {"pictures": len(widths), "width": _spread(widths), "height": _spread(heights)},
    }
    return Shown(document, tuple(pictures))


def write_page(shown: Shown, path: Path) -> None:
    """Write the page; it holds some of the pictures.

    Raises:
        MissingExtraError: The page needs the `train` extra.
        WriteError: It cannot be written.
    """
    from foveal.report.data_page import data_page

    files.write_text(path, data_page(shown.document, shown.pictures))


def _pixels(dataset: Dataset, index: int) -> UInt8 | None:
    try:
        picture = dataset.read(index)
        return picture.decode(picture.header().channels)
    except ImageError:
        return None


def _spread(sides: list[int]) -> dict[str, int] | None:
    return {"min": min(sides), "median": int(np.median(sides)), "max": max(sides)} if sides else None
