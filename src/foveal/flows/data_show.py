"""`foveal data show`: how many pictures of what there are, and some of each to look at."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.core import files
from foveal.core.errors import DataError, ImageError
from foveal.core.progress import Progress, silent
from foveal.core.task import AREA_TASKS, OBJECT_TASKS
from foveal.data.annotated import annotated
from foveal.data.clips import stills
from foveal.data.dataset import Dataset, UInt8
from foveal.data.drawn import drawn
from foveal.data.scene import VOID
from foveal.data.sizing import evenly_spaced

SCHEMA = "foveal.data/1"
_PER_CLASS = 8
_DRAWN, _DRAWN_SIDE = 24, 640  # pictures with annotations, and their longer side
_PICTURES = 800  # in memory at once, from where on a class shows fewer


@dataclass(frozen=True)
class Shown:
    """What was found.

    Attributes:
        document: The `foveal.data/1` document.
        pictures: Some readable ones of each class, uint8 (H, W, C), in the order of the classes; none of data
            with annotations.
        drawn: Of these some pictures with what is where on them, uint8 (H, W, 3), each with its name.
    """

    document: dict[str, Any]
    pictures: tuple[tuple[UInt8, ...], ...] = field(repr=False)
    drawn: tuple[tuple[str, UInt8], ...] = field(default=(), repr=False)


def show(dataset: Dataset, *, progress: Progress = silent) -> Shown:
    """Count pictures by class and split, and decode a few of each class, evenly over its list.

    Args:
        dataset: As `data.open` returned it.
        progress: Told after every class.
    """
    if dataset.scenes is not None:
        return _show_scenes(dataset, progress)
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
    return Shown(_document(dataset, rows, widths, heights), tuple(pictures))


def _document(
    dataset: Dataset, rows: list[dict[str, Any]], widths: list[int], heights: list[int]
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "ok": True,
        "action": "show",
        "path": str(dataset.path),
        "task": dataset.task,
        "format": dataset.format,
        "images": len(dataset),
        "classes": list(dataset.classes),
        "splits": dict(Counter(dataset.splits)),
        "groups": None if dataset.groups is None else len(set(dataset.groups)),
        "grouped_by": list(dataset.grouped_by),
        "per_class": rows,
        "shown": {"pictures": len(widths), "width": _spread(widths), "height": _spread(heights)},
    }


def _show_scenes(dataset: Dataset, progress: Progress) -> Shown:
    """Count what is on pictures, and draw it on some of them, so that every class is seen."""
    counts = annotated(dataset).counts
    splits = np.array(dataset.splits)
    what = "objects" if dataset.task in OBJECT_TASKS else "pixels"
    rows = []
    for label, name in enumerate(dataset.classes):
        mine = counts[:, label] > 0
        row = {"class": name, "images": int(mine.sum()), "splits": dict(Counter(splits[mine].tolist()))}
        counted = dataset.scenes is None or dataset.scenes.things is None or label in dataset.scenes.things
        rows.append({**row, what: int(counts[:, label].sum()) if counted else None})
    drawings, widths, heights = [], [], []
    chosen = _with_every_class(counts)
    for done, i in enumerate(chosen, start=1):
        pixels = _pixels(dataset, i)
        if pixels is not None:
            drawings.append((dataset.sources[i], _drawing(dataset, i, pixels)))
            widths.append(pixels.shape[1])
            heights.append(pixels.shape[0])
        progress("drawing", done, len(chosen))
    return Shown(_document(dataset, rows, widths, heights), (), tuple(drawings))


def _drawing(dataset: Dataset, i: int, pixels: UInt8) -> UInt8:
    """Return a picture with what is stated about it; as it is where that cannot be used, as `check` tells."""
    scenes = dataset.scenes
    assert scenes is not None
    shape = pixels if pixels.shape[2] in (1, 3) else pixels[:, :, :1]
    try:
        objects = scenes.objects(i) if scenes.task in OBJECT_TASKS else None
        said = scenes.regions if scenes.task in AREA_TASKS or scenes.task == "defect" else None
        regions = said(i) if said is not None else None
        if regions is not None and scenes.task == "defect":  # what is good keeps its own colours
            regions = np.where(regions == 0, np.uint8(VOID), regions)
        if regions is not None and scenes.things is not None:  # objects have a colour of their own
            regions = np.where(np.isin(regions, scenes.things), np.uint8(VOID), regions)
        return drawn(shape, dataset.classes, objects=objects, regions=regions, longest=_DRAWN_SIDE)
    except DataError:
        return drawn(shape, dataset.classes, longest=_DRAWN_SIDE)


def _with_every_class(counts: NDArray[np.int64]) -> list[int]:
    """Return the pictures to draw, ascending: some of each class, the rarest first, evenly over the list.

    Args:
        counts: How much of each class is on each picture, int64 (N, K).
    """
    each = -(-_DRAWN // max(1, counts.shape[1]))
    rarest = np.argsort((counts > 0).sum(axis=0), kind="stable").tolist()
    by_class = [np.flatnonzero(counts[:, label]) for label in rarest]
    found = [int(mine[k]) for mine in by_class for k in evenly_spaced(len(mine), at_most=each)]
    chosen = list(dict.fromkeys(found))[:_DRAWN] or evenly_spaced(len(counts), at_most=_DRAWN)
    return sorted(chosen)


def write_page(shown: Shown, path: Path) -> None:
    """Write the page; it holds some of the pictures.

    Raises:
        MissingExtraError: The page needs the `train` extra.
        WriteError: It cannot be written.
    """
    from foveal.report.data_page import data_page

    files.write_text(path, data_page(shown.document, shown.pictures, shown.drawn))


def _pixels(dataset: Dataset, index: int) -> UInt8 | None:
    try:
        picture = dataset.read(index)
        return picture.decode(picture.header().channels)
    except ImageError:
        return None


def _spread(sides: list[int]) -> dict[str, int] | None:
    return {"min": min(sides), "median": int(np.median(sides)), "max": max(sides)} if sides else None
