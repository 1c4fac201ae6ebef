"""C8: pictures that some square patch might turn unnoticed, if masked copies of each must agree.

The guarantee is that of the file with the alarm (`certified.patch_alarm`), for one square patch of at most
that share of the area. Source: McCoyd et al., "Minority Reports Defense", 2020.
"""

from collections.abc import Sequence

import numpy as np

from foveal.certified.patch_alarm import ALARM, watched
from foveal.certify.claim import Claim
from foveal.certify.measurement import Measurement, Section
from foveal.certify.measurements.certified_patch import masks_against
from foveal.certify.profile import Profile
from foveal.certify.subject import Subject

_PER_AXIS = 9  # 81 answers a picture, and masks hardly wider than the patch


def _claims(profile: Profile) -> Sequence[Claim]:
    share = f"{profile.patch_share:.0%}"
    return (
        Claim(
            "unnoticed_patch", f"right answers that a patch of {share} might turn without an alarm",
            "guarantee", "at_most",
        ),
        Claim("false_patch_alarms", "pictures without a patch that raise the alarm", "estimate", "at_most"),
    )  # fmt: skip


def _measure(subject: Subject) -> Section:
    unnoticed, alarms = _claims(subject.profile)
    if subject.level.patched == 0:
        why = "not at this level"
        return Section(tuple(one.not_measured(why, asked=False) for one in (unnoticed, alarms)))
    images, labels = subject.test.some(subject.level.patched)
    masks = masks_against(subject, per_axis=_PER_AXIS)
    right, found = subject.named(images) == labels, np.empty(len(images), np.int64)
    told = subject.told("patch alarm")
    for place in range(len(images)):  # one by one, for the sake of those who wait
        found[place] = watched(subject.scores(), images[place][None], masks)[0]
        told(place + 1, len(images))
    details = {"patch_side": masks.patch, "mask_side": masks.side, "masks": len(masks.corners)}
    count = len(masks.corners)
    note = f"one square of at most {masks.patch} pixels a side, anywhere; all {count} masked copies agree"
    false = alarms.share(int((found == ALARM).sum()), len(found), note=note, details=details)
    if not right.any():
        return Section((unnoticed.not_measured("the file names none of these pictures rightly"), false))
    # Where the copies of a clean picture agree on the truth, no patch can make them agree on anything else.
    open_to_it = right & (found != labels)
    turned = unnoticed.share(int(open_to_it.sum()), int(right.sum()), note=note, details=details)
    return Section((turned, false))


patch_alarm = Measurement("C8", "Proven: patch alarm", _claims, _measure)
