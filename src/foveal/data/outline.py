"""What an object covers: polygons as people draw them, or runs of pixels as files store masks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Polygons:
    """One or several rings; a pixel is inside where its middle is inside of any of them.

    Attributes:
        rings: Corners in pixels of the upright picture, float32 (P, 2) each, P ≥ 3; x before y.
    """

    rings: tuple[NDArray[np.float32], ...] = field(repr=False)

    @property
    def content(self) -> bytes:
        """What is hashed to see whether it changed."""
        return b"".join(ring.tobytes() for ring in self.rings)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        corners = np.concatenate(self.rings)
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        return float(left), float(top), float(right), float(bottom)

    def mask(self, height: int, width: int) -> Mask:
        """Return which pixels of a picture are inside, bool (height, width)."""
        inside = np.zeros((height, width), dtype=bool)
        for ring in self.rings:
            inside |= _filled(ring.astype(np.float64), height, width)
        return inside


@dataclass(frozen=True, eq=False)
class Runs:
    """A mask as lengths of runs, column by column, the first one outside: COCO's uncompressed RLE.

    Attributes:
        counts: Lengths, int64 (R,); they sum to height × width.
        height, width: Of the mask.
    """

    counts: NDArray[np.int64] = field(repr=False)
    height: int
    width: int

    @classmethod
    def of(cls, mask: Mask) -> Self:
        """Return the runs of a mask, bool (H, W)."""
        flat = mask.ravel(order="F")
        changes = np.flatnonzero(np.diff(np.concatenate([[False], flat])))
        edges = np.concatenate([[0], changes, [flat.size]])
        return cls(np.diff(edges).astype(np.int64), *mask.shape)

    @classmethod
    def within(cls, mask: Mask, left: int, top: int, *, height: int, width: int) -> Self:
        """Return the runs of a mask (height, width) that covers nothing but what a smaller one does.

        Args:
            mask: bool (h, w), which lies wholly inside.
            left: Column of its first pixel.
            top: Row of its first pixel.
            height: Of the whole.
            width: Of the whole.
        """
        changes = np.diff(np.pad(mask.T, ((0, 0), (1, 1))).astype(np.int8), axis=1)
        columns, first = np.nonzero(changes == 1)
        last = np.nonzero(changes == -1)[1]
        return cls.between(columns + left, first + top, last + top, height=height, width=width)

    @classmethod
    def between(
        cls,
        columns: NDArray[np.int64],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        *,
        height: int,
        width: int,
    ) -> Self:
        """Return the runs of a mask (height, width) that covers parts of columns, in order, int64 (R,) each.

        Args:
            columns: In which column each part lies; rising.
            first: Its first row.
            last: The row behind its last one.
            height: Of the mask.
            width: Of the mask.
        """
        edges = np.stack([columns * height + first, columns * height + last], axis=1).ravel()
        # A run that ends a column and one that begins the next are one.
        same = np.flatnonzero(edges[1:-1:2] == edges[2::2])
        edges = np.delete(edges, np.concatenate([2 * same + 1, 2 * same + 2]))
        counts = np.diff(np.concatenate([[0], edges, [height * width]])).astype(np.int64)
        # What ends with a pixel that is inside has no run behind it.
        return cls(counts[:-1] if counts[-1] == 0 else counts, height, width)

    @classmethod
    def from_json(cls, runs: Mapping[str, Any]) -> Self:
        """Return what `as_json` told."""
        height, width = runs["size"]
        return cls(np.array(runs["counts"], np.int64), height, width)

    def as_json(self) -> dict[str, Any]:
        """Return the runs as COCO's uncompressed RLE."""
        return {"size": [self.height, self.width], "counts": self.counts.tolist()}

    @property
    def content(self) -> bytes:
        """What is hashed to see whether it changed."""
        return self.counts.tobytes()

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom; all 0 where nothing is inside."""
        return box_of(self.mask(self.height, self.width))

    def mask(self, height: int, width: int) -> Mask:
        """Return the mask, bool (height, width), which are its own.

        Raises:
            ValueError: Another size.
        """
        if (height, width) != (self.height, self.width):
            raise ValueError(f"a mask of {self.width} × {self.height} pixels, not {width} × {height}")
        inside = np.repeat(np.arange(len(self.counts)) % 2 == 1, self.counts)
        return inside.reshape((height, width), order="F")


Outline = Polygons | Runs


def box_of(mask: Mask) -> tuple[float, float, float, float]:
    """Return the smallest box around what a mask, bool (H, W), covers; all 0 where that is nothing."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0.0, 0.0, 0.0, 0.0
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def painted(masks: Sequence[Mask], values: Sequence[int], into: NDArray[np.integer]) -> None:
    """Write a value where each mask covers `into`, (H, W); later ones cover earlier ones."""
    for mask, value in zip(masks, values, strict=True):
        into[mask] = value


def _filled(ring: NDArray[np.float64], height: int, width: int) -> Mask:
    """Return the pixels whose middle lies inside a ring, by counting its edges to the left (even-odd)."""
    x, y = ring[:, 0], ring[:, 1]
    x2, y2 = np.roll(x, -1), np.roll(y, -1)
    first, last = max(0, int(np.floor(y.min()))), min(height, int(np.ceil(y.max())) + 1)
    inside = np.zeros((height, width), dtype=bool)
    for row in range(first, last):
        middle = row + 0.5
        crossed = (y <= middle) != (y2 <= middle)
        if not crossed.any():
            continue
        at = x[crossed] + (middle - y[crossed]) * (x2 - x)[crossed] / (y2 - y)[crossed]
        edges = np.ceil(np.sort(at) - 0.5).clip(0, width).astype(int)
        for left, right in zip(edges[::2], edges[1::2], strict=True):
            inside[row, left:right] = True
    return inside
