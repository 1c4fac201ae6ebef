"""Outlines as JSON writes them: polygons as lists of x and y, masks as runs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.data.decode import LIMITS
from foveal.data.formats import _rle
from foveal.data.formats._json import Step, WrongError, numbers
from foveal.data.outline import Outline, Polygons, Runs

Size = tuple[Any, Any]
_CORNERS = 64


def outline_of(stated: Any, size: Size) -> Outline | None:
    """Return an outline as COCO writes it: polygons, runs, or nothing.

    Args:
        stated: The value of `segmentation`.
        size: Height and width of the picture as far as they are said.

    Raises:
        WrongError: It is none of these.
    """
    if stated is None or stated == []:
        return None
    if isinstance(stated, list):
        return Polygons(tuple(ring_of(ring, "segmentation", place) for place, ring in enumerate(stated)))
    if not isinstance(stated, dict):
        raise WrongError("'segmentation' is neither a list nor an object", "segmentation")
    return runs_of(stated, size, "segmentation")


def ring_of(values: Any, *way: Step) -> NDArray[np.float32]:
    """Return the corners of a polygon, float32 (P, 2); raises `WrongError` with the way to it."""
    try:
        corners = numbers(values, "a polygon")
    except WrongError as wrong:
        raise WrongError(wrong.why, *way, *wrong.way) from wrong
    if len(corners) < 6 or len(corners) % 2:
        raise WrongError(f"a polygon of {len(corners)} numbers; three corners are six", *way)
    return np.array(corners, dtype=np.float32).reshape(-1, 2)


def runs_of(stated: Mapping[str, Any], size: Size, *way: Step) -> Runs:
    """Return the runs of a mask, packed or as a list.

    Args:
        stated: An object with `size`, height and width, and `counts`.
        size: Height and width of the picture as far as they are said.
        way: To that object.

    Raises:
        WrongError: It makes no sense.
    """
    height, width = _sides(stated, *way)
    if None not in size and (height, width) != tuple(size):
        why = f"a mask of {width} × {height} on a picture of {size[1]} × {size[0]}"
        raise WrongError(why, *way, "size")
    counts = stated.get("counts")
    try:
        lengths = _rle.decoded(counts) if isinstance(counts, str) else _whole_numbers(counts)
    except ValueError as error:
        raise WrongError(str(error), *way, "counts") from error
    except WrongError as wrong:
        raise WrongError(wrong.why, *way, "counts", *wrong.way) from wrong
    if len(lengths) and not 0 <= lengths.min() <= lengths.max() <= height * width:
        raise WrongError("a run of a mask is shorter than nothing, or longer than it", *way, "counts")
    if int(lengths.sum()) != height * width:
        why = f"the runs of a mask cover {int(lengths.sum())} pixels, not {width} × {height}"
        raise WrongError(why, *way, "counts")
    return Runs(lengths, height, width)


def _whole_numbers(values: Any) -> NDArray[np.int64]:
    found = np.array(numbers(values, "'counts'"), dtype=np.float64)
    if (found != np.floor(found)).any():
        raise WrongError("a run of a mask is no whole number of pixels")
    return found.astype(np.int64)


def _sides(stated: Mapping[str, Any], *way: Step) -> tuple[int, int]:
    try:
        sides = numbers(stated.get("size"), "'size'")
    except WrongError as wrong:
        raise WrongError(wrong.why, *way, "size", *wrong.way) from wrong
    if (
        len(sides) != 2
        or min(sides) < 1
        or max(sides) > LIMITS.side
        or sides != [int(side) for side in sides]
    ):
        raise WrongError("'size' is not the height and width of a mask", *way, "size")
    return int(sides[0]), int(sides[1])


def ellipse(center: tuple[float, float], radii: tuple[float, float]) -> Polygons:
    """Return an ellipse as a polygon of 64 corners on it, which covers 99.8 % of it."""
    angles = np.arange(_CORNERS) * (2 * np.pi / _CORNERS)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return Polygons(((circle * radii + center).astype(np.float32),))
