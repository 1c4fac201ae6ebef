"""A provable defence against one patch: mask the picture everywhere, twice.

Source: Xiang, Mahloujifar & Mittal, "PatchCleanser: Certifiably Robust Defense against Adversarial Patches
for Any Image Classifier", 2022: mask sets §3.2, double masking algorithm 1, certification theorem 1.

*The promise.* Wherever one square patch of at most `Masks.patch` pixels a side is put into a certified
picture, whatever it shows, `defended` answers the label. Several patches, or larger ones, are outside of it
(distributed patches evade such defences: DorPatch, 2024), and the file without the defence is not covered.

*Why the masks suffice.* Along one axis a patch of side p can start at 0 … n - p. The masks have side
m = p + s - 1 and start every s pixels; one that starts at i covers the s patches that start at i … i + s - 1.
With s = ⌈(n - p + 1) / k⌉ the k masks cover all starts; the last mask is moved back inside the picture, where
it covers the last s of them. A square is covered where both its axes are.

*Why double masking suffices.* Some mask hides the patch; then the picture is the clean one under that mask.
If all clean pictures under two masks are answered y, the mask over the patch is answered y in the first round
and, as whatever second mask is added, in the second. So either all agree on y, or that mask is one whose
second round is unanimous for y; and no mask with another answer can be unanimous, for the mask over the patch
is among its second ones.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, product

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError

UInt8 = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Scores = Callable[[UInt8], Float32]
_TOGETHER = 256  # pictures that are asked about at a time
_Pair = tuple[int, int]  # of masks; twice the same is one mask


@dataclass(frozen=True)
class Masks:
    """Square masks of which one hides any patch.

    Attributes:
        size: Side of the pictures in pixels, n.
        patch: Side of the largest patch in pixels, p, 1 to n.
        per_axis: At most so many masks along each axis, k ≥ 1; 6 makes 36 masks and 666 pairs. More of them
            hide less of the picture each.
        fill: Grey level of masked pixels.
    """

    size: int
    patch: int
    per_axis: int = 6
    fill: int = 128

    def __post_init__(self) -> None:
        if not (1 <= self.patch <= self.size and self.per_axis >= 1 and 0 <= self.fill <= 255):
            raise UsageError(f"masks need a patch of 1 to {self.size} pixels, per_axis ≥ 1; got {self}")

    @classmethod
    def against(cls, share: float, *, size: int, per_axis: int = 6) -> "Masks":
        """Return masks against a square patch of a share of the picture's area, in (0, 1]."""
        if not 0 < share <= 1:
            raise UsageError(f"a patch takes a share in (0, 1] of a picture; got {share}")
        return cls(size, min(size, int(np.ceil(size * share**0.5 - 1e-9))), per_axis)

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


def certify(scores: Scores, images: UInt8, labels: NDArray[np.int64], masks: Masks) -> NDArray[np.bool_]:
    """Return which pictures no patch can turn away from their label, given the defence, bool (N,).

    True: `defended` answers the label for the picture as it is and with any one patch (theorem 1). The first
    masked picture with another answer ends the search.

    Args:
        scores: What a picture is answered with; the largest score of a row wins. It must answer equal
            pictures equally, whatever else is in the batch.
        images: uint8 (N, size, size, C).
        labels: int64 (N,).
        masks: Against which patch.
    """
    _check(images, masks)
    singles, count = len(masks.corners), len(masks.pairs)
    steps = [0, singles, *range(singles + _TOGETHER, count, _TOGETHER), count]
    parts = [masks.pairs[a:b] for a, b in pairwise(steps) if b > a]

    def holds(image: UInt8, label: np.int64) -> bool:
        return all((_answers(scores, image, part, masks) == label).all() for part in parts)

    return np.array([holds(i, y) for i, y in zip(images, labels, strict=True)], bool)


def defended(scores: Scores, images: UInt8, masks: Masks) -> NDArray[np.int64]:
    """Return what the defended recognizer answers, int64 (N,): as many as 36 to 666 answers of `scores` each.

    First each mask alone: if all agree, that is the answer. Otherwise every mask that disagrees with the
    majority is tried with a second one; it is believed if no second mask changes its answer. If none is, the
    majority is (algorithm 1).

    Args:
        scores: As for `certify`.
        images: uint8 (N, size, size, C).
        masks: Against which patch.
    """
    _check(images, masks)
    return np.array([_defended(scores, image, masks) for image in images], np.int64)


def _defended(scores: Scores, image: UInt8, masks: Masks) -> int:
    every = range(len(masks.corners))
    first = _answers(scores, image, [(i, i) for i in every], masks)
    majority = int(np.bincount(first).argmax())
    for mask in np.flatnonzero(first != majority).tolist():
        second = _answers(scores, image, [(mask, other) for other in every], masks)
        if (second == first[mask]).all():
            return int(first[mask])
    return majority


def _answers(scores: Scores, image: UInt8, pairs: Sequence[_Pair], masks: Masks) -> NDArray[np.int64]:
    return np.concatenate([scores(part).argmax(axis=1) for part in _batches(image, pairs, masks)])


def _batches(image: UInt8, pairs: Sequence[_Pair], masks: Masks) -> Iterator[UInt8]:
    for start in range(0, len(pairs), _TOGETHER):
        yield masks.masked(image, pairs[start : start + _TOGETHER])


def _check(images: UInt8, masks: Masks) -> None:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:3] != (masks.size, masks.size):
        raise UsageError(
            f"masks for {masks.size} pixels need uint8 (N, {masks.size}, {masks.size}, C); got "
            f"{images.dtype} {images.shape}"
        )
