"""A provable defence against one patch: mask the picture everywhere, twice.

Source: Xiang, Mahloujifar & Mittal, "PatchCleanser: Certifiably Robust Defense against Adversarial Patches
for Any Image Classifier", 2022: double masking algorithm 1, certification theorem 1.

*The promise.* Wherever one square patch of at most `Masks.patch` pixels a side is put into a certified
picture, whatever it shows, `defended` answers the label. Several patches, or larger ones, are outside of it
(distributed patches evade such defences: DorPatch, 2024), and the file without the defence is not covered.

*Why double masking suffices.* Some mask hides the patch; then the picture is the clean one under that mask.
If all clean pictures under two masks are answered y, the mask over the patch is answered y in the first round
and, as whatever second mask is added, in the second. So either all agree on y, or that mask is one whose
second round is unanimous for y; and no mask with another answer can be unanimous, for the mask over the patch
is among its second ones.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from foveal.certified.masks import TOGETHER, Int64, Masks, Scores, UInt8, answers


def certify(scores: Scores, images: UInt8, labels: Int64, masks: Masks) -> NDArray[np.bool_]:
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
    masks.check(images)
    singles, count = len(masks.corners), len(masks.pairs)
    steps = [0, singles, *range(singles + TOGETHER, count, TOGETHER), count]
    parts = [masks.pairs[a:b] for a, b in pairwise(steps) if b > a]

    def holds(image: UInt8, label: np.int64) -> bool:
        return all((answers(scores, image, part, masks) == label).all() for part in parts)

    return np.array([holds(i, y) for i, y in zip(images, labels, strict=True)], bool)


def defended(scores: Scores, images: UInt8, masks: Masks) -> Int64:
    """Return what the defended recognizer answers, int64 (N,): as many as 36 to 666 answers of `scores` each.

    First each mask alone: if all agree, that is the answer. Otherwise every mask that disagrees with the
    majority is tried with a second one; it is believed if no second mask changes its answer. If none is, the
    majority is (algorithm 1).

    Args:
        scores: As for `certify`.
        images: uint8 (N, size, size, C).
        masks: Against which patch.
    """
    masks.check(images)
    return np.array([_defended(scores, image, masks) for image in images], np.int64)


def _defended(scores: Scores, image: UInt8, masks: Masks) -> int:
    every = range(len(masks.corners))
    first = answers(scores, image, [(i, i) for i in every], masks)
    majority = int(np.bincount(first).argmax())
    for mask in np.flatnonzero(first != majority).tolist():
        second = answers(scores, image, [(mask, other) for other in every], masks)
        if (second == first[mask]).all():
            return int(first[mask])
    return majority
