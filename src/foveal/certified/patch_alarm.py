"""A provable alarm against one patch: mask the picture everywhere, once, and see whether all copies agree.

Source: McCoyd et al., "Minority Reports Defense: Defending Against Adversarial Patches", 2020, §3 (here
without its grid of votes: every copy has a veto); what it means to detect and what to repair is told apart by
Xiang & Mittal, "PatchGuard++", 2021.

*The promise.* Wherever one square patch of at most `Masks.patch` pixels a side is put into a certified
picture, whatever it shows, `watched` answers the label or raises the alarm. It is weaker than what
`certified.patches` promises, which repairs the answer: a patch can always provoke an alarm. It needs
hardly any of the picture hidden and a handful of answers instead of hundreds, so it holds far more often.

*Why it suffices.* Some mask hides the patch; that copy is the clean picture under that mask. If the clean
picture is answered y under every single mask, this copy of the patched picture is answered y. So if all its
copies agree, they agree on y; if they do not, that is the alarm.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.certified.masks import Int64, Masks, Scores, UInt8, answers

ALARM = -1


def certify(scores: Scores, images: UInt8, labels: Int64, masks: Masks) -> NDArray[np.bool_]:
    """Return which pictures no patch can turn without an alarm, bool (N,).

    True: `watched` answers the label for the picture as it is; with any one patch, the label or the alarm.

    Args:
        scores: From uint8 (M, size, size, C) to scores (M, K); the largest of a row wins. It must answer
            equal pictures equally, whatever else is in the batch.
        images: uint8 (N, size, size, C).
        labels: int64 (N,).
        masks: Against which patch.
    """
    found: NDArray[np.bool_] = watched(scores, images, masks) == labels
    return found


def watched(scores: Scores, images: UInt8, masks: Masks) -> Int64:
    """Return what all masked copies of a picture are answered with, or `ALARM` where two differ, int64 (N,).

    It costs as many answers of `scores` a picture as there are masks.

    Args:
        scores: As for `certify`.
        images: uint8 (N, size, size, C).
        masks: Against which patch.
    """
    masks.check(images)
    singles = [(mask, mask) for mask in range(len(masks.corners))]

    def one(image: UInt8) -> int:
        found = answers(scores, image, singles, masks)
        return int(found[0]) if (found == found[0]).all() else ALARM

    return np.array([one(image) for image in images], np.int64)
