"""Boxes that surround nothing, lie outside of their picture, are there twice, or will be too small to see."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from foveal.core.task import OBJECT_TASKS
from foveal.core.types import Finding
from foveal.core.wording import EXAMPLES, counted
from foveal.data.annotated import Annotated, annotated
from foveal.data.dataset import Dataset
from foveal.data.inventory import Inventory
from foveal.data.split import Split

TOLERANCE = 1.0  # pixels beyond the edge that are only another way to count
MODEL_SIDE = 320  # what the longer side is often brought to
TINY = 6  # pixels of the shorter side of an object, at that size

Mask = NDArray[np.bool_]


def boxes(dataset: Dataset, inventory: Inventory, split: Split | None) -> Iterator[Finding]:
    """Yield what is wrong with boxes; of those on unreadable pictures only what their numbers say."""
    if dataset.scenes is None or dataset.task not in OBJECT_TASKS:
        return
    found = annotated(dataset)
    if not len(found.boxes):
        return
    left, top, right, bottom = found.boxes.T
    flat = (right <= left) | (bottom <= top)
    if flat.any():
        yield Finding(
            "degenerate_boxes",
            "warning",
            int(flat.sum()),
            f"{counted(int(flat.sum()), 'box')} of {len(flat)} without width or height: training leaves them "
            "out, and nothing can be found there.",
            "Draw them again, or remove them.",
            _shown(dataset, found, flat),
        )
    yield from _outside(dataset, inventory, found, ~flat)
    yield from _twice(dataset, found)
    yield from _tiny(dataset, inventory, found, ~flat)


def _outside(dataset: Dataset, inventory: Inventory, found: Annotated, asked: Mask) -> Iterator[Finding]:
    left, top, right, bottom = found.boxes.T
    width, height = inventory.width[found.pictures], inventory.height[found.pictures]
    asked = asked & (width > 0)
    outside = asked & ((left >= width) | (top >= height) | (right <= 0) | (bottom <= 0))
    beyond = _beyond(found, width, height) & asked
    if outside.any():
        yield Finding(
            "boxes_outside",
            "warning",
            int(outside.sum()),
            f"{counted(int(outside.sum()), 'box')} wholly outside of the picture: training leaves them out."
            f"{_turned(found, inventory, outside)}",
            "Look at the units (pixels or shares?), and at the size that was annotated.",
            _shown(dataset, found, outside),
        )
    partly = beyond & ~outside
    if partly.any():
        yield Finding(
            "boxes_beyond_edge",
            "warning",
            int(partly.sum()),
            f"{counted(int(partly.sum()), 'box')} more than a pixel beyond the edge of the picture: they are "
            f"cut off there.{_turned(found, inventory, partly)}",
            "Look at some of them (foveal data show --out): they may be of another size.",
            _shown(dataset, found, partly),
        )


def _beyond(found: Annotated, width: NDArray[np.int32], height: NDArray[np.int32]) -> Mask:
    left, top, right, bottom = found.boxes.T
    before = np.minimum(left, top) < -TOLERANCE
    return np.asarray(before | (right > width + TOLERANCE) | (bottom > height + TOLERANCE))


def _turned(found: Annotated, inventory: Inventory, chosen: Mask) -> str:
    """Say where the boxes would fit if width and height were swapped: they may be of the stored picture."""
    width, height = inventory.width[found.pictures], inventory.height[found.pictures]
    fits = chosen & ~_beyond(found, height, width) & (width != height)
    if not fits.any():
        return ""
    return (
        f" {int(fits.sum())} of them would fit if the picture lay on its side: boxes have to be those of the "
        "upright picture, after its EXIF orientation."
    )


def _twice(dataset: Dataset, found: Annotated) -> Iterator[Finding]:
    rows = np.column_stack([found.pictures, found.labels, found.boxes.astype(np.float64)])
    _, first = np.unique(rows, axis=0, return_index=True)
    again = np.ones(len(rows), dtype=bool)
    again[first] = False
    if again.any():
        yield Finding(
            "duplicate_boxes",
            "warning",
            int(again.sum()),
            f"{counted(int(again.sum()), 'box')} of the same class exactly where another is: such an object "
            "weighs double, and finding it once counts as missing it once.",
            "Remove the copies.",
            _shown(dataset, found, again),
        )


def _tiny(dataset: Dataset, inventory: Inventory, found: Annotated, asked: Mask) -> Iterator[Finding]:
    left, top, right, bottom = found.boxes.T
    longer = np.maximum(inventory.width, inventory.height)[found.pictures]
    shrunk = np.minimum(1, MODEL_SIDE / np.maximum(longer, 1))
    tiny = asked & (longer > 0) & (np.minimum(right - left, bottom - top) * shrunk < TINY)
    if tiny.any():
        yield Finding(
            "tiny_objects",
            "info",
            int(tiny.sum()),
            f"{counted(int(tiny.sum()), 'object')} of {len(tiny)} narrower than {TINY} pixels where the "
            f"longer side of the picture becomes {MODEL_SIDE}: such are hardly ever found.",
            "Give the model a larger input (--size), or cut large pictures into pieces.",
            _shown(dataset, found, tiny),
        )


def _shown(dataset: Dataset, found: Annotated, chosen: Mask) -> tuple[str, ...]:
    """Name some of the boxes: the picture, the class, and the box as it was written down."""
    return tuple(
        f"{dataset.sources[found.pictures[k]]}: {dataset.classes[found.labels[k]]} "
        f"({', '.join(f'{side:g}' for side in found.boxes[k])})"
        for k in np.flatnonzero(chosen)[:EXAMPLES]
    )
