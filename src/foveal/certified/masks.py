"""Masks of which one hides any square patch, wherever it is, and what a recognizer answers under them.

Source: Xiang, Mahloujifar & Mittal, "PatchCleanser: Certifiably Robust Defense against Adversarial Patches
for Any Image Classifier", 2022, §3.2.

*Why the masks suffice.* Along one axis a patch of side p can start at 0 … n - p. The masks have side
m = p + s - 1 and start every s pixels; one that starts at i covers the s patches that start at i … i + s - 1.
With s = ⌈(n - p + 1) / k⌉ the k masks cover all starts; the last mask is moved back inside the picture, where
it covers the last s of them. A square is covered where both its axes are.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError

UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Scores = Callable[[UInt8], Float32]
TOGETHER = 256  # pictures that are asked about at a time
_Pair = tuple[int, int]  # of masks; twice the same is one mask


@dataclass(frozen=True)
class Masks:
    """Square masks of which one hides any patch.

    Attributes:
        size: Side of the pictures in pixels, n.
        patch: Side of the largest patch in pixels, p, 1 to n.
        per_axis: At most so many masks along each axis, k ≥ 1; 6 makes 36 masks and 666 pairs. More of them
            hide less of the picture each.
        fill: Level of masked pixels, 0 to 255: one, or one for each channel. What the recognizer learned to
            look past is best: `cutout` shows it the mean of its pictures.
    """

    size: int
    patch: int
    per_axis: int = 6
    fill: int | tuple[int, ...] = 128

    def __post_init__(self) -> None:
        levels = np.atleast_1d(self.fill)
        in_range = levels.dtype.kind in "iu" and bool(((levels >= 0) & (levels <= 255)).all())
        if not (1 <= self.patch <= self.size and self.per_axis >= 1 and in_range):
            raise UsageError(f"masks need a patch of 1 to {self.size} pixels, per_axis ≥ 1; got {self}")

    @classmethod
    def against(
        cls, share: float, *, size: int, per_axis: int = 6, fill: int | tuple[int, ...] = 128
    ) -> "Masks":
        """Return masks against a square patch of a share of the picture's area, in (0, 1]."""
        if not 0 < share <= 1:
            raise UsageError(f"a patch takes a share in (0, 1] of a picture; got {share}")
        return cls(size, min(size, int(np.ceil(size * share**0.5 - 1e-9))), per_axis, fill)

    @property
    def side(self) -> int:
        """Of a mask, in pixels."""
        return self.patch + self._stride - 1

    @property
    def corners(self) -> tuple[tuple[int, int], ...]:
        """Top and left of every mask."""
        last = self.size - self.side
        starts = sorted({min(index * self._stride, last) for index in range(self.per_axis)})
        return tuple(product(starts, starts))

    @property
    def pairs(self) -> tuple[_Pair, ...]:
        """All pairs of masks, single masks first as pairs of themselves."""
        count = len(self.corners)
        return (*((i, i) for i in range(count)), *combinations(range(count), 2))

    @property
    def _stride(self) -> int:
        return -(-(self.size - self.patch + 1) // self.per_axis)

    def masked(self, image: UInt8, pairs: Sequence[_Pair]) -> UInt8:
        """Return a picture under each pair of masks, uint8 (len(pairs), H, W, C)."""
        corners, made = self.corners, np.repeat(image[None], len(pairs), axis=0)
        for one, pair in zip(made, pairs, strict=True):
            for top, left in {corners[mask] for mask in pair}:
                one[top : top + self.side, left : left + self.side] = self.fill
        return made

    def check(self, images: UInt8) -> None:
        """Refuse pictures of another size.

        Raises:
            UsageError: `images` is not uint8 (N, size, size, C), or `fill` has levels for other channels.
        """
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:3] != (self.size, self.size):
            raise UsageError(
                f"masks for {self.size} pixels need uint8 (N, {self.size}, {self.size}, C); got "
                f"{images.dtype} {images.shape}"
            )
        if np.ndim(self.fill) == 1 and np.size(self.fill) != images.shape[3]:
            raise UsageError(f"masks have {np.size(self.fill)} levels for {images.shape[3]} channels")


def answers(scores: Scores, image: UInt8, pairs: Sequence[_Pair], masks: Masks) -> Int64:
    """Return what a picture is answered with under each pair of masks, int64 (len(pairs),).

    Args:
        scores: From uint8 (M, size, size, C) to scores (M, K); the largest of a row wins.
        image: uint8 (size, size, C).
        pairs: Of masks, by their place in `masks.corners`.
        masks: The masks.
    """
    return np.concatenate([scores(part).argmax(axis=1) for part in _batches(image, pairs, masks)])


def _batches(image: UInt8, pairs: Sequence[_Pair], masks: Masks) -> Iterator[UInt8]:
    for start in range(0, len(pairs), TOGETHER):
        yield masks.masked(image, pairs[start : start + TOGETHER])
